import { describe, expect, it } from 'vitest';
import { ExpressionCompiler } from '#expr/compile';
import { decodeProgram, evaluateProgram } from '#expr/evaluate';
import { textSource } from '#expr/source';
import { testNames, testRobot, testView } from './model.js';

function evaluate(text: string, signals: Record<string, string> = {}): number[] {
  const compiler = new ExpressionCompiler(testNames, testRobot);
  for (const [name, value] of Object.entries(signals)) compiler.defineSignal(name, textSource(value, name));
  const source = textSource(text);
  compiler.output('observation', 'x', compiler.value(source), source);
  const program = compiler.finish();
  const view = testView();
  const out = new Float64Array(program.outputs);
  evaluateProgram(decodeProgram(program.code, view), view, out);
  return [...out];
}

describe('expressions', () => {
  it('smoke', () => {
    expect(evaluate('1 + 2 * 3 ^ 2 - 4 / 2')).toEqual([17]);
    expect(evaluate('[1, 2, 3 mm].z * 2')).toEqual([0.006]);
  });
});
