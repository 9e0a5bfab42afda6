import { describe, expect, it } from 'vitest';
import { PhiloxStream } from '#core/philox';
import { compile } from '#nn/compile';
import * as nn from '#nn/graph';
import { lower } from '#nn/lowering/lower';
import { engineAddon, hasNativeEngine } from '#nn/native';
import { adamW } from '#nn/optimizer';
import { redq, type Sizes, td3 } from './algorithms.js';

const sizes: Sizes = { B: 12, O: 4, A: 2, H: 8, E: 3 };

function stagesOf(algorithm: ReturnType<typeof redq>) {
  return { name: 'plan', stages: 'stages' in algorithm.spec ? algorithm.spec.stages : [algorithm.spec] };
}

describe.skipIf(!hasNativeEngine())('malformed plans', () => {
  const { EngineProgram } = hasNativeEngine() ? engineAddon() : { EngineProgram: undefined as never };

  /** Loads a plan with some numbers changed; if it still decodes it must run without harm. */
  function attempt(code: Float64Array, buffers: readonly (Float32Array | Int32Array)[]): 'refused' | 'ran' {
    try {
      const program = new EngineProgram(code, buffers, 2);
      program.run();
      program.close();
      return 'ran';
    } catch (error) {
      expect(['PLAN', 'SHAPE']).toContain((error as { code: string }).code);
      return 'refused';
    }
  }

  for (const [name, make] of Object.entries({ redq, td3 })) {
    it(`${name}: no change of the numbers reaches outside the buffers`, () => {
      const { code, buffers } = lower(stagesOf(make(sizes)));
      expect(attempt(code, buffers)).toBe('ran');
      const rng = new PhiloxStream(1);
      const interesting = [
        0,
        1,
        -1,
        2,
        3,
        7,
        255,
        1e6,
        2 ** 30,
        2 ** 31,
        2 ** 53,
        1e300,
        0.5,
        Number.NaN,
        -1e9,
      ];
      let refused = 0;
      const tries = 4000;
      for (let i = 0; i < tries; i++) {
        const bad = Float64Array.from(code);
        for (let k = 0; k <= rng.integer(3); k++) {
          const at = rng.integer(bad.length);
          bad[at] =
            rng.uniform() < 0.5
              ? interesting[rng.integer(interesting.length)]!
              : bad[at]! + rng.integer(64) - 16;
        }
        // Extents may legally be large; what would only take long is left out.
        if (bad.some((x) => x > 4096 && x <= 2 ** 30 && !code.includes(x))) continue;
        if (attempt(bad, buffers) === 'refused') refused++;
      }
      expect(refused).toBeGreaterThan(tries / 8);
    });
  }

  it('refuses every truncation', () => {
    const { code, buffers } = lower(stagesOf(redq(sizes)));
    for (let length = 0; length < code.length; length += 7) {
      expect(attempt(code.slice(0, length), buffers)).toBe('refused');
    }
  });

  it('refuses buffers that are short, of another type, or missing', () => {
    const { code, buffers } = lower(stagesOf(redq(sizes)));
    expect(attempt(code, buffers.slice(1))).toBe('refused');
    buffers.forEach((buffer, i) => {
      const other =
        buffer instanceof Int32Array ? new Float32Array(buffer.length) : new Int32Array(buffer.length);
      expect(attempt(code, buffers.with(i, other))).toBe('refused');
      expect(attempt(code, buffers.with(i, buffer.slice(0, buffer.length - 1)))).toBe('refused');
    });
  });
});

describe.skipIf(!hasNativeEngine())('life of a native program', () => {
  const x = nn.input('x', [4]);
  const make = () => compile({ name: 'life', outputs: { y: nn.mul(x, 2) } }, { backend: 'native' });

  it('refuses a second call while one runs, and works again after it', async () => {
    const program = make();
    program.inputs['x']!.fill(1);
    const running = program.runAsync();
    expect(program.busy).toBe(true);
    expect(() => program.run()).toThrow(expect.objectContaining({ code: 'STATE' }));
    expect(() => program.close()).toThrow(expect.objectContaining({ code: 'STATE' }));
    await expect(program.runAsync()).rejects.toMatchObject({ code: 'STATE' });
    await running;
    expect(program.busy).toBe(false);
    program.run();
    expect([...program.outputs['y']!]).toEqual([2, 2, 2, 2]);
  });

  it('refuses calls after close, and closes twice', async () => {
    const program = make();
    program.close();
    program.close();
    expect(() => program.run()).toThrow(expect.objectContaining({ code: 'STATE' }));
    await expect(program.runAsync()).rejects.toMatchObject({ code: 'STATE' });
  });

  it('names the output that is not finite', async () => {
    const program = make();
    program.inputs['x']![2] = Number.NaN;
    const expected = expect.objectContaining({
      code: 'NUMERIC',
      message: 'program life: output y[2] is NaN',
    });
    expect(() => program.run()).toThrow(expected);
    await expect(program.runAsync()).rejects.toEqual(expected);
  });

  it('refuses a gradient that is not finite and leaves the block as it was', () => {
    const block = new nn.ParameterBlock('net', { rng: new PhiloxStream(1) });
    const w = block.add('w', [4], (_, out) => out.fill(1));
    const update = adamW({ block, loss: nn.sum(nn.mul(w, x)), learningRate: 1 });
    const program = compile({ name: 'bad', updates: [update] }, { backend: 'native' });
    program.inputs['x']![3] = Number.POSITIVE_INFINITY;
    const expected = expect.objectContaining({
      code: 'NUMERIC',
      message: expect.stringContaining('gradient norm of net'),
    });
    expect(() => program.run()).toThrow(expected);
    expect([...block.view('w')]).toEqual([1, 1, 1, 1]);
    expect(block.optimizer.step[0]).toBe(0);
  });

  it('refuses a member index out of range', () => {
    const members = nn.takeMembers(nn.input('w', [3, 2]), nn.input('index', [2], 'i32'));
    for (const backend of ['native', 'reference'] as const) {
      const program = compile({ name: 'index', outputs: { members } }, { backend });
      program.inputs['index']!.set([0, 3]);
      expect(() => program.run()).toThrow(expect.objectContaining({ code: 'SHAPE' }));
    }
  });
});
