import { describe, expect, it } from 'vitest';
import { backends, hasNative, namesOn, snapshot, withBatch } from './backends.js';
import { Actions, bench, physics, pose } from './fixture.js';

const groups = { observation: ['sled.position.x', 'wheel.yaw', 'arm.velocity', 'step'] };

describe.each(backends)('episodes on %s', (backend) => {
  it.runIf(backend === 'wasm' || hasNative)('end at the horizon and start again', async () => {
    const withSignals = { ...groups, signals: ['sled.position.x', 'step'] };
    const spec = physics(await bench(namesOn(backend)), withSignals, { environments: 2, horizon: 3 });
    await withBatch(backend, spec, (batch) => {
      batch.action.fill(1);
      for (let step = 1; step <= 7; step++) {
        batch.step();
        const last = step % 3 === 0;
        expect([...batch.truncated]).toEqual(last ? [1, 1] : [0, 0]);
        expect([...batch.terminated]).toEqual([0, 0]);
        expect([...batch.episode]).toEqual([Math.floor(step / 3), Math.floor(step / 3)]);
        expect([...batch.steps]).toEqual([step % 3, step % 3]);
        const now = batch.observation[4];
        const final = batch.finalObservation[4];
        expect(now).toBe(step % 3);
        expect(final).toBe(last ? 3 : step % 3);
        expect([batch.signals[3], batch.finalSignals[3]]).toEqual([now, final]);
        expect(batch.finalSignals[2]).toBeCloseTo(batch.finalObservation[5]!, 6);
      }
      expect(batch.observation[0]).toBeGreaterThan(0.05);
    });
  });

  it.runIf(backend === 'wasm' || hasNative)('terminate when success has held', async () => {
    const spec = physics(
      await bench(namesOn(backend)),
      { ...groups, success: ['sled.position.x > 0.15'], failure: ['sled.position.x < -0.15'] },
      { environments: 3, successHold: 2 },
    );
    await withBatch(backend, spec, (batch) => {
      batch.action.set([1, 0, -1, 0, 0, 0]);
      const seen: number[][] = [];
      for (let step = 0; step < 4; step++) {
        batch.step();
        seen.push([...batch.terminated, ...batch.success, ...batch.reward]);
      }
      // 0.1 m a step: past the mark after two; success must hold one step more, failure ends at once.
      expect(seen).toEqual([
        [0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 0, 0, 0, 0],
        [1, 0, 0, 1, 0, 0, 1, 0, 0],
        [0, 1, 0, 0, 0, 0, 0, 0, 0],
      ]);
      expect([...batch.truncated]).toEqual([0, 0, 0]);
    });
  });

  it.runIf(backend === 'wasm' || hasNative)('sum the reward terms', async () => {
    const spec = physics(await bench(namesOn(backend)), {
      ...groups,
      reward: ['sled.position.x', '2'],
      success: ['sled.position.x > 9'],
    });
    await withBatch(backend, spec, (batch) => {
      batch.action.fill(1);
      batch.step();
      expect(batch.reward[0]).toBeCloseTo(2 + batch.observation[0]!, 6);
    });
  });

  it.runIf(backend === 'wasm' || hasNative)('leave inactive and finished environments alone', async () => {
    const spec = physics(await bench(namesOn(backend)), groups, {
      environments: 3,
      horizon: 2,
      autoReset: false,
    });
    await withBatch(backend, spec, (batch) => {
      batch.action.fill(1);
      batch.active[1] = 0;
      batch.step();
      const first = batch.observation[0]!;
      expect(first).toBeGreaterThan(0.05);
      expect(batch.observation[5]).toBe(0);
      expect([...batch.steps]).toEqual([1, 0, 1]);
      batch.step();
      expect([...batch.truncated]).toEqual([1, 0, 1]);
      const end = [...batch.observation];
      batch.step();
      expect([...batch.truncated]).toEqual([0, 0, 0]);
      expect([...batch.observation]).toEqual(end);
      batch.reset();
      expect([...batch.steps]).toEqual([0, 0, 0]);
      expect(batch.observation[0]).toBe(0);
    });
  });

  it.runIf(backend === 'wasm' || hasNative)('act late by the drawn latency', async () => {
    const fixture = await bench(namesOn(backend));
    for (const delay of [0, 1, 3]) {
      const spec = physics(fixture, groups, { latency: [delay, delay] });
      await withBatch(backend, spec, (batch) => {
        batch.action.fill(1);
        const moved: boolean[] = [];
        for (let step = 0; step < 5; step++) {
          batch.step();
          moved.push(batch.observation[0]! > 0.01);
          batch.action.fill(step % 2);
        }
        expect(moved.indexOf(true)).toBe(delay);
      });
    }
  });

  it.runIf(backend === 'wasm' || hasNative)('draw latencies over their whole range', async () => {
    const spec = physics(await bench(namesOn(backend)), groups, { environments: 40, latency: [0, 2] });
    await withBatch(backend, spec, (batch) => {
      batch.action.fill(1);
      const arrivals = new Map<number, number>();
      const started = new Uint8Array(batch.B);
      for (let step = 0; step < 4; step++) {
        batch.step();
        for (let i = 0; i < batch.B; i++) {
          if (started[i] || batch.observation[i * batch.O]! <= 0.01) continue;
          started[i] = 1;
          arrivals.set(step, (arrivals.get(step) ?? 0) + 1);
        }
      }
      expect([...arrivals.keys()].sort()).toEqual([0, 1, 2]);
      for (const count of arrivals.values()) expect(count).toBeGreaterThan(4);
    });
  });

  it.runIf(backend === 'wasm' || hasNative)('add observation noise of the asked size', async () => {
    const fixture = await bench(namesOn(backend));
    const spec = physics(fixture, groups, { environments: 200, observationNoise: 0.1 });
    await withBatch(backend, spec, (batch) => {
      const first = [...batch.observation];
      batch.step();
      expect([...batch.observation]).not.toEqual(first);
      const values = [...batch.observation].filter((_, i) => i % batch.O === 0);
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
      expect(Math.abs(mean)).toBeLessThan(0.03);
      expect(deviation).toBeGreaterThan(0.085);
      expect(deviation).toBeLessThan(0.115);
    });
  });

  it.runIf(backend === 'wasm' || hasNative)('resume bit for bit', async () => {
    const fixture = await bench(namesOn(backend));
    const ball = fixture.names.body.indexOf('ball');
    const spec = physics(
      fixture,
      { ...groups, signals: ['ball.position'], expert: ['time'] },
      {
        environments: 4,
        horizon: 7,
        latency: [0, 2],
        observationNoise: 0.01,
        randomize: [
          pose(ball, { x: [-0.3, 0.3], z: [0, 0.2] }),
          { kind: 'mass', body: ball, scale: [0.5, 2] },
          { kind: 'gain', actuators: [0, 1], scale: [0.8, 1.2] },
        ],
      },
    );
    const actions = new Actions();
    const plan = Array.from({ length: 30 }, () => {
      const action = new Float32Array(8);
      actions.fill(action);
      return action;
    });
    const run = (batch: Parameters<typeof snapshot>[0], from: number, to: number) =>
      plan.slice(from, to).map((action) => {
        batch.action.set(action);
        batch.step();
        return snapshot(batch);
      });
    const { state, whole, before } = await withBatch(backend, spec, (batch) => {
      run(batch, 0, 11);
      const saved = batch.getState();
      const seen = snapshot(batch);
      return { state: saved, before: seen, whole: run(batch, 11, 30) };
    });
    await withBatch(backend, { ...spec, seed: 12345, threads: 2 }, (batch) => {
      run(batch, 3, 9);
      batch.setState(state);
      expect(snapshot(batch)).toEqual(before);
      expect(run(batch, 11, 30)).toEqual(whole);
    });
  });

  it.runIf(backend === 'wasm' || hasNative)('go on from where another environment was', async () => {
    const fixture = await bench(namesOn(backend));
    const spec = physics(
      fixture,
      { ...groups, signals: ['ball.position'] },
      { environments: 3, horizon: 40, latency: [1, 1] },
    );
    await withBatch(backend, spec, (batch) => {
      const step = (row: number, value: number) => {
        batch.action.fill(0);
        batch.action.fill(value, row * batch.A, (row + 1) * batch.A);
        batch.step();
        const { O } = batch;
        return [...batch.observation.slice(row * O, (row + 1) * O), batch.steps[row]];
      };
      for (let t = 0; t < 5; t++) step(0, 0.4);
      const kept = batch.getEnvironment(0);
      const way = [0.1, -0.3, 0.8, 0.5].map((value) => step(0, value));
      const others = batch.getEnvironment(1);
      batch.setEnvironment(2, kept);
      expect(batch.getEnvironment(2)).toEqual(kept);
      expect(batch.getEnvironment(1)).toEqual(others);
      expect([0.1, -0.3, 0.8, 0.5].map((value) => step(2, value))).toEqual(way);
      const foreign = expect.objectContaining({ code: 'CHECKPOINT' });
      expect(() => batch.setEnvironment(0, kept.slice(1))).toThrow(foreign);
      expect(() => batch.setEnvironment(0, batch.getState().slice(0, kept.length))).toThrow(foreign);
      const missing = expect.objectContaining({ code: 'USAGE' });
      expect(() => batch.getEnvironment(3)).toThrow(missing);
      expect(() => batch.setEnvironment(-1, kept)).toThrow(missing);
    });
  });

  it.runIf(backend === 'wasm' || hasNative)('refuse a foreign state', async () => {
    const fixture = await bench(namesOn(backend));
    const state = await withBatch(backend, physics(fixture, groups, { environments: 2 }), (batch) =>
      batch.getState(),
    );
    await withBatch(backend, physics(fixture, groups, { environments: 3 }), (batch) => {
      expect(() => batch.setState(state)).toThrow(expect.objectContaining({ code: 'CHECKPOINT' }));
      expect(() => batch.setState(new Uint8Array(3))).toThrow(
        expect.objectContaining({ code: 'CHECKPOINT' }),
      );
    });
  });

  it.runIf(backend === 'wasm' || hasNative)('are the same in a batch and alone', async () => {
    const fixture = await bench(namesOn(backend));
    const ball = fixture.names.body.indexOf('ball');
    const spec = physics(
      fixture,
      { ...groups, signals: ['ball.position'] },
      {
        environments: 5,
        horizon: 4,
        observationNoise: 0.01,
        randomize: [pose(ball, { x: [-0.3, 0.3] }), { kind: 'mass', body: ball, scale: [0.5, 2] }],
      },
    );
    const play = async (environments: number, firstEnvironment: number) =>
      withBatch(backend, { ...spec, environments, firstEnvironment }, (batch) => {
        const rows: number[][] = [];
        for (let step = 0; step < 10; step++) {
          for (let i = 0; i < batch.B; i++) {
            batch.action.fill(Math.sin(step + firstEnvironment + i), i * batch.A, (i + 1) * batch.A);
          }
          batch.step();
          const row = 3 - firstEnvironment;
          rows.push([
            ...batch.observation.subarray(row * batch.O, (row + 1) * batch.O),
            ...batch.signals.subarray(row * 3, row * 3 + 3),
          ]);
        }
        return rows;
      });
    expect(await play(1, 3)).toEqual(await play(5, 0));
  });
});
