import { describe, expect, it } from 'vitest';
import { compile } from '#nn/compile';
import * as nn from '#nn/graph';
import { expressionGraph, type GraphScope } from '#reward/expressionGraph';
import { parseFormula } from '#stl/parse';
import { evaluatePredicates } from '#stl/signals';

const p = nn.input('p', [1, 3]);
const entries = [0, 1, 2].map((k) => nn.slice(p, 1, k, k + 1));
const known: Readonly<Record<string, readonly nn.Tensor[]>> = {
  p: entries,
  'door.position': [nn.constant(0.5)],
};
const scope: GraphScope = (path) => known[path];

const expressions = [
  '1.2 - norm(p - [0.5, -1, 2])',
  'min(p.x - 0.2, 3 - p[1], 2 * p.z)',
  'distance([p.x, p.y], [1, 1]) ^ 2 / 3 - door.position',
  'max(abs(p.x), tanh(p.y)) + clamp(p.z, -1, 0.5)',
  'dot(p, [1, 2, 3]) * sin(p.x) - cos(p.y) + exp(-p.x) + sqrt(p.z + 3) + log(p.z + 3)',
  '-(p.x + 20 cm)',
];
const points = [
  [0.3, -0.7, 1.1],
  [-1.2, 0.4, 0.2],
  [2, 1.5, -0.6],
];

describe('expressions as graphs', () => {
  it.each(expressions)('%s has the value of the language and the gradient of central differences', (text) => {
    const [value] = expressionGraph(text, scope);
    const [gradient] = nn.grad(nn.sum(value!), [p]);
    const program = compile(
      { name: 'expression', outputs: { value: value!, gradient: gradient! } },
      { backend: 'reference', precision: 'float64' },
    );
    const at = (point: readonly number[]): number => {
      program.inputs.p!.set(point);
      program.run();
      return program.outputs.value![0]!;
    };
    const columns = {
      'p.x': points.map(([x]) => x!),
      'p.y': points.map(([, y]) => y!),
      'p.z': points.map(([, , z]) => z!),
      'door.position': points.map(() => 0.5),
    };
    const plain = text.replaceAll('door.position', "'door.position'");
    const [expected] = evaluatePredicates(parseFormula(`${plain} > 0`), { columns });
    for (const [i, point] of points.entries()) {
      expect(at(point)).toBeCloseTo(expected![i]!, 10);
      const analytic = [...program.outputs.gradient!];
      for (let k = 0; k < 3; k++) {
        const moved = (by: number): number => at(point.map((x, j) => x + (j === k ? by : 0)));
        expect(analytic[k], `entry ${k} at ${point}`).toBeCloseTo((moved(1e-5) - moved(-1e-5)) / 2e-5, 5);
      }
    }
    program.close();
  });

  it.each([
    ['p.x > 2', 'conditions have no gradient, received p.x > 2'],
    ['1 + q.x', 'expected a name that the planner knows, received q'],
    ['contact(p)', 'expected one of abs, '],
    ['p + [1, 2]', 'expected vectors of one length, received p + [1, 2]'],
    ['p[3]', 'expected an index below 3'],
    ['2 ^ 0.5', 'expected a whole exponent from 1 on, received 0.5'],
  ])('refuses %s with its place', (text, message) => {
    expect(() => expressionGraph(text, scope)).toThrow(message);
  });
});
