import { describe, expect, it } from 'vitest';
import { PhiloxStream } from '#core/philox';
import { compile } from '#nn/compile';
import { add, input, mean, mul, ParameterBlock, square, sub, sum } from '#nn/graph';
import { orthogonal, uniformFanIn, zeros } from '#nn/initializers';
import { mlp } from '#nn/layers';
import { adamW, polyak } from '#nn/optimizer';

const reference = { backend: 'reference' } as const;

function block(members?: number): ParameterBlock {
  return new ParameterBlock('net', { rng: new PhiloxStream(3), ...(members ? { members } : {}) });
}

describe('AdamW', () => {
  it('follows the published algorithm, decay and bias correction included', () => {
    const b = block();
    const w = b.add('w', [3], uniformFanIn());
    const x = input('x', [3]);
    const loss = sum(mul(x, w));
    const update = adamW({ block: b, loss, learningRate: 0.1, weightDecay: 0.01 });
    const program = compile({ name: 'adam', updates: [update] }, reference);
    const expected = Float64Array.from(b.view('w'));
    const m = new Float64Array(3);
    const v = new Float64Array(3);
    for (let t = 1; t <= 5; t++) {
      const g = [t, -2 * t, 0.1];
      program.inputs.x!.set(g);
      program.run();
      g.forEach((gi, i) => {
        m[i] = 0.9 * m[i]! + 0.1 * gi;
        v[i] = 0.999 * v[i]! + 0.001 * gi * gi;
        const step = m[i]! / (1 - 0.9 ** t) / (Math.sqrt(v[i]! / (1 - 0.999 ** t)) + 1e-8);
        expected[i] = expected[i]! * (1 - 0.1 * 0.01) - 0.1 * step;
      });
    }
    b.view('w').forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]!, 5);
    });
    expect(b.state().map((s) => s.name)).toEqual(['net', 'net.first', 'net.second', 'net.step']);
    expect(b.optimizer.step[0]).toBe(5);
  });

  it('clips each member by itself or the block as a whole', () => {
    for (const clipBy of ['member', 'block'] as const) {
      const b = block(2);
      const w = b.add('w', [2, 2], zeros);
      const loss = sum(mul(input('x', [2, 2]), w));
      const update = adamW({ block: b, loss, learningRate: 0, clipNorm: 1, clipBy });
      const program = compile({ name: 'clip', updates: [update] }, reference);
      program.inputs.x!.set([3, 4, 0.3, 0.4]);
      program.run();
      const scales = clipBy === 'member' ? [1 / 5, 1] : [1 / Math.hypot(5, 0.5), 1 / Math.hypot(5, 0.5)];
      const stride = b.memberStride;
      expect(b.optimizer.first[0]).toBeCloseTo(0.1 * 3 * scales[0]!, 5);
      expect(b.optimizer.first[stride + 1]).toBeCloseTo(0.1 * 0.4 * scales[1]!, 5);
    }
  });

  it('refuses a gradient that is not finite and leaves the block as it was', () => {
    const b = block();
    const w = b.add('w', [2], zeros);
    const loss = sum(mul(input('x', [2]), w));
    const program = compile(
      { name: 'bad', updates: [adamW({ block: b, loss, learningRate: 1 })] },
      reference,
    );
    program.inputs.x!.set([Number.NaN, 1]);
    expect(() => program.run()).toThrow(expect.objectContaining({ code: 'NUMERIC' }));
    expect([...b.view('w')]).toEqual([0, 0]);
    expect(b.optimizer.step[0]).toBe(0);
  });

  it('refuses a loss that leaves a tensor out', () => {
    const b = block();
    const w = b.add('w', [2], zeros);
    b.add('unused', [2], zeros);
    expect(() => adamW({ block: b, loss: sum(w), learningRate: 1 })).toThrow(/does not depend on unused/);
  });
});

describe('Polyak averaging', () => {
  it('moves the target towards the updated source', () => {
    const source = block();
    const w = source.add('w', [1], zeros);
    const target = source.clone('target');
    const updates = [
      adamW({ block: source, loss: sum(w), learningRate: 1 }),
      polyak({ target, source, tau: input('tau', []) }),
    ];
    const program = compile({ name: 'polyak', updates }, reference);
    program.inputs.tau![0] = 0.25;
    program.run();
    expect(source.view('w')[0]).toBeCloseTo(-1, 5);
    expect(target.view('w')[0]).toBeCloseTo(-0.25, 5);
  });
});

describe('stages', () => {
  it('show the second stage what the first one changed', () => {
    const b = block();
    const w = b.add('w', [1], zeros);
    const stages = [
      { outputs: { before: w }, updates: [adamW({ block: b, loss: sum(w), learningRate: 1 })] },
      { outputs: { after: w } },
    ];
    const program = compile({ name: 'stages', stages }, reference);
    program.run();
    expect(program.outputs.before![0]).toBe(0);
    expect(program.outputs.after![0]).toBeCloseTo(-1, 5);
  });
});

describe('layers', () => {
  it('an ensemble computes what its members compute alone', () => {
    const b = block(3);
    const net = mlp(b, 'q', { in: 4, hidden: [5], out: 2, layerNorm: true });
    const x = input('x', [6, 4]);
    const program = compile({ name: 'ensemble', outputs: { y: net.apply(x) } }, reference);
    program.inputs.x!.forEach((_, i, all) => {
      all[i] = Math.sin(i);
    });
    program.run();
    const y = program.outputs.y!;
    for (let e = 0; e < 3; e++) {
      const alone = block();
      const single = mlp(alone, 'q', { in: 4, hidden: [5], out: 2, layerNorm: true });
      for (const name of alone.names) alone.view(name).set(b.view(name, e));
      const one = compile({ name: 'one', outputs: { y: single.apply(x) } }, reference);
      one.inputs.x!.set(program.inputs.x!);
      one.run();
      expect([...one.outputs.y!]).toEqual([...y.subarray(e * 12, (e + 1) * 12)]);
    }
  });

  it('learns a linear map', () => {
    const b = block();
    const net = mlp(b, 'f', { in: 2, hidden: [16], out: 1, activation: 'tanh', weight: orthogonal() });
    const x = input('x', [32, 2]);
    const y = input('y', [32, 1]);
    const loss = mean(square(sub(net.apply(x), y)));
    const program = compile(
      {
        name: 'fit',
        outputs: { loss: add(loss, 0) },
        updates: [adamW({ block: b, loss, learningRate: 0.02 })],
      },
      reference,
    );
    const rng = new PhiloxStream(1);
    const step = (): number => {
      for (let i = 0; i < 32; i++) {
        const [u, v] = [rng.normal(), rng.normal()];
        program.inputs.x!.set([u, v], 2 * i);
        program.inputs.y![i] = 0.5 * u - 0.3 * v;
      }
      program.run();
      return program.outputs.loss![0]!;
    };
    const first = step();
    for (let i = 0; i < 300; i++) step();
    expect(step()).toBeLessThan(0.05 * first);
  });

  it('orthogonal weights are orthonormal', () => {
    const b = block();
    b.add('w', [3, 5], orthogonal());
    const w = b.view('w');
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 3; j++) {
        let dot = 0;
        for (let k = 0; k < 5; k++) dot += w[i * 5 + k]! * w[j * 5 + k]!;
        expect(dot).toBeCloseTo(i === j ? 1 : 0, 5);
      }
    }
  });
});
