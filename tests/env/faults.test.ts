import { describe, expect, it } from 'vitest';
import { createBatch } from '#env/makeEnv';
import { backends, hasNative, namesOn, withBatch } from './backends.js';
import { bench, physics } from './fixture.js';

const groups = { observation: ['sled.position.x', 'step'] };

describe.each(backends)('faults on %s', (backend) => {
  const test = it.runIf(backend === 'wasm' || hasNative);

  test('a NaN action resets that environment only', async () => {
    const spec = physics(await bench(namesOn(backend)), groups, { environments: 3 });
    const clean = await withBatch(backend, spec, (batch) => {
      batch.action.fill(0.5);
      for (let step = 0; step < 4; step++) batch.step();
      return [...batch.observation];
    });
    await withBatch(backend, spec, (batch) => {
      batch.action.fill(0.5);
      batch.step();
      const before = batch.observation[2]!;
      batch.action[2] = Number.NaN;
      batch.step();
      expect(batch.faults).toEqual([
        { environment: 1, episode: 0, step: 1, cause: 'the action is not finite' },
      ]);
      expect([...batch.truncated]).toEqual([0, 1, 0]);
      expect([...batch.terminated]).toEqual([0, 0, 0]);
      expect([...batch.episode]).toEqual([0, 1, 0]);
      expect(batch.finalObservation[2]).toBe(before);
      expect(batch.observation[2]).toBe(0);
      batch.action.fill(0.5);
      batch.step();
      expect(batch.faults).toEqual([]);
      batch.step();
      expect([...batch.observation.subarray(0, 2)]).toEqual(clean.slice(0, 2));
      expect([...batch.observation.subarray(4)]).toEqual(clean.slice(4));
    });
  });

  test.each([true, false])('a diverging simulation is caught, automatic reset %s', async (autoReset) => {
    const fixture = await bench(namesOn(backend), { mode: 'torque', scale: 1e12 });
    const spec = physics(fixture, groups, { environments: 3, autoReset });
    await withBatch(backend, spec, (batch) => {
      batch.action.set([0, 0, 0, 1, 0, 0]);
      batch.step();
      expect(batch.faults).toHaveLength(1);
      expect(batch.faults[0]).toMatchObject({ environment: 1, step: 0 });
      expect(batch.faults[0]!.cause).toMatch(/diverged/);
      expect([...batch.truncated]).toEqual([0, 1, 0]);
      batch.action.fill(0);
      for (let step = 0; step < 3; step++) {
        batch.step();
        expect(batch.faults).toEqual([]);
      }
      expect([...batch.steps]).toEqual(autoReset ? [4, 3, 4] : [4, 0, 4]);
      expect([...batch.observation].every(Number.isFinite)).toBe(true);
    });
  });

  test('an observation that is not a number is a fault', async () => {
    const fixture = await bench(namesOn(backend));
    const spec = physics(fixture, { observation: ['1 / (step - 2)'] }, { environments: 2 });
    await withBatch(backend, spec, (batch) => {
      batch.step();
      expect(batch.faults).toEqual([]);
      batch.step();
      expect(batch.faults.map(({ environment, step, cause }) => ({ environment, step, cause }))).toEqual([
        { environment: 0, step: 1, cause: 'an observation is not finite' },
        { environment: 1, step: 1, cause: 'an observation is not finite' },
      ]);
      expect([...batch.episode]).toEqual([1, 1]);
    });
  });

  test('an episode that cannot start is an error', async () => {
    const spec = physics(await bench(namesOn(backend)), { observation: ['1 / step'] });
    await expect(createBatch(spec, backend)).rejects.toMatchObject({ code: 'PHYSICS' });
  });

  test('running out of memory within a step is caught', async () => {
    const fixture = await bench(namesOn(backend));
    const balls = Array.from({ length: 60 }, (_, i) => {
      const at = `${(i % 10) * 0.3} ${4 + Math.floor(i / 10) * 0.3} 0.15`;
      return `<body pos="${at}"><freejoint/><geom size="0.1" condim="6"/></body>`;
    });
    let caught: string | undefined;
    // Little enough memory to fail on landing, enough to start: which size that is depends on the version.
    for (let memory = 100; memory < 400 && caught === undefined; memory += 20) {
      const xml = fixture.source.xml
        .replace('<option', `<size memory="${memory}K"/><option`)
        .replace('</worldbody>', `${balls.join('')}</worldbody>`);
      const source = { ...fixture.source, xml };
      const names = await namesOn(backend)(source).catch(() => undefined);
      if (!names) continue;
      const spec = physics({ ...fixture, source, names }, groups, { environments: 2, autoReset: false });
      const batch = await createBatch(spec, backend).catch(() => undefined);
      for (let step = 0; batch && step < 10 && caught === undefined; step++) {
        batch.step();
        caught = batch.faults[0]?.cause;
        if (caught !== undefined) expect(batch.faults.map(({ environment }) => environment)).toEqual([0, 1]);
      }
      if (batch && caught !== undefined) {
        batch.reset();
        batch.step();
        expect(batch.faults).toEqual([]);
      }
      batch?.close();
    }
    expect(caught).toMatch(/memory/);
  });

  test('MuJoCo names what it does not like in a model', async () => {
    const source = { xml: '<mujoco><worldbody><bdy/></worldbody></mujoco>', files: new Map(), hash: '' };
    await expect(namesOn(backend)(source)).rejects.toMatchObject({
      code: 'PHYSICS',
      message: expect.stringContaining('bdy'),
    });
  });

  test('an actuator that does not fit the mode is named', async () => {
    const fixture = await bench(namesOn(backend));
    const xml = fixture.source.xml.replace(
      /<position name="spin"[^>]*>/,
      '<motor name="spin" joint="spin"/>',
    );
    const spec = physics({ ...fixture, source: { ...fixture.source, xml } }, groups);
    await expect(createBatch(spec, backend)).rejects.toMatchObject({
      code: 'PHYSICS',
      message: expect.stringContaining('no position servo'),
    });
  });

  test('open, busy and closed', async () => {
    const spec = physics(await bench(namesOn(backend)), groups);
    const batch = await createBatch(spec, backend);
    const running = batch.stepAsync();
    const state = expect.objectContaining({ code: 'STATE' });
    expect(() => batch.step()).toThrow(state);
    expect(() => batch.reset()).toThrow(state);
    expect(() => batch.getState()).toThrow(state);
    expect(() => batch.setState(new Uint8Array())).toThrow(state);
    expect(() => batch.readCopy(0)).toThrow(state);
    expect(() => batch.close()).toThrow(state);
    await expect(batch.stepAsync()).rejects.toMatchObject({ code: 'STATE' });
    await running;
    expect(batch.steps[0]).toBe(1);
    batch.step();
    expect(batch.steps[0]).toBe(2);
    batch.close();
    batch.close();
    expect(() => batch.step()).toThrow(state);
    expect(() => batch.reset()).toThrow(state);
    expect(() => batch.getState()).toThrow(state);
    await expect(batch.stepAsync()).rejects.toMatchObject({ code: 'STATE' });
  });

  test('stepAsync does what step does', async () => {
    const spec = physics(await bench(namesOn(backend)), groups, { environments: 3, threads: 2 });
    const play = (asynchronous: boolean) =>
      withBatch(backend, spec, async (batch) => {
        for (let step = 0; step < 6; step++) {
          batch.action.fill(Math.cos(step));
          if (asynchronous) await batch.stepAsync();
          else batch.step();
        }
        return [...batch.observation];
      });
    expect(await play(true)).toEqual(await play(false));
  });
});
