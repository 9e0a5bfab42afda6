import { expect } from 'vitest';
import { PhiloxStream } from '#core/philox';
import { type CompileOptions, compile } from '#nn/compile';
import * as nn from '#nn/graph';
import { exportOnnx } from '#nn/onnx';

/** The engine and onnxruntime on the same graph and the same inputs. */

export type Values = Float32Array | Float64Array | Int32Array;

/** What this file uses of onnxruntime-node, which is not a dependency: the peer of another house. */
interface Runtime {
  readonly Tensor: new (
    type: 'float32' | 'int32' | 'int64',
    data: Values | BigInt64Array,
    dims: readonly number[],
  ) => object;
  readonly InferenceSession: {
    create(model: Uint8Array): Promise<{
      run(feeds: Record<string, object>): Promise<Record<string, { data: Float32Array; dims: number[] }>>;
    }>;
  };
}
const PACKAGE = 'onnxruntime-node';
export const runtime = (await import(PACKAGE).then(
  (module) => module.default ?? module,
  () => undefined,
)) as Runtime | undefined;

export type Outputs = Readonly<Record<string, nn.Tensor>>;

function inputsOf(outputs: Outputs): nn.Tensor<'input'>[] {
  return nn.topologicalOrder(Object.values(outputs)).filter((node) => node.is('input'));
}

/** Draws every input: floats from [low, high), indices from 0..2. */
export function draw(
  outputs: Outputs,
  [low, high]: readonly [number, number],
  seed = 1,
): Map<string, Values> {
  const rng = new PhiloxStream(seed);
  return new Map(
    inputsOf(outputs).map((node) => [
      node.attributes.name,
      node.dtype === 'i32'
        ? Int32Array.from({ length: node.size }, () => Math.floor(3 * rng.uniform()))
        : Float32Array.from({ length: node.size }, () => low + (high - low) * rng.uniform()),
    ]),
  );
}

function runEngine(outputs: Outputs, inputs: ReadonlyMap<string, Values>, options: CompileOptions) {
  const program = compile({ name: 'onnx', outputs }, options);
  for (const [name, values] of inputs) program.inputs[name]!.set(values);
  program.run();
  const results = Object.fromEntries(Object.entries(program.outputs).map(([k, v]) => [k, v.slice()]));
  program.close();
  return results;
}

export interface Feed {
  readonly data: Values | BigInt64Array;
  readonly dims: readonly number[];
}

/** Runs a model once; integer arrays are fed as int32 and int64, anything else as float32. */
export async function runModel(model: Uint8Array, feeds: Readonly<Record<string, Feed>>) {
  const session = await runtime!.InferenceSession.create(model);
  const tensors = Object.entries(feeds).map(([name, { data, dims }]) => {
    const type = data instanceof BigInt64Array ? 'int64' : data instanceof Int32Array ? 'int32' : 'float32';
    return [name, new runtime!.Tensor(type, data, dims)] as const;
  });
  return session.run(Object.fromEntries(tensors));
}

function runOnnx(outputs: Outputs, inputs: ReadonlyMap<string, Values>) {
  const feeds = inputsOf(outputs).map(({ attributes: { name }, shape }) => {
    return [name, { data: inputs.get(name)!, dims: shape }] as const;
  });
  return runModel(exportOnnx({ name: 'onnx', outputs }), Object.fromEntries(feeds));
}

/** The worst difference as a share of the tensor's largest value, and where it is. */
function worstError(expected: Values, actual: Values): { error: number; index: number } {
  let scale = Number.MIN_VALUE;
  for (const value of expected) scale = Math.max(scale, Math.abs(value));
  let worst = { error: 0, index: -1 };
  expected.forEach((value, index) => {
    const error = Math.abs(value - actual[index]!) / scale;
    if (!(error <= worst.error)) worst = { error, index };
  });
  return worst;
}

/** Holds each output of the engine against onnxruntime's; returns the worst error of all. */
export async function expectParity(
  outputs: Outputs,
  inputs: ReadonlyMap<string, Values>,
  tolerance: number,
  options: CompileOptions = {},
): Promise<number> {
  const engine = runEngine(outputs, inputs, options);
  const onnx = await runOnnx(outputs, inputs);
  let worst = 0;
  for (const [name, node] of Object.entries(outputs)) {
    expect(onnx[name]!.dims, `${name}: shape`).toEqual([...node.shape]);
    const { error, index } = worstError(engine[name]!, onnx[name]!.data);
    const where = `${name}[${index}]: engine ${engine[name]![index]}, onnxruntime ${onnx[name]!.data[index]}`;
    expect(error, where).toBeLessThanOrEqual(tolerance);
    worst = Math.max(worst, error);
  }
  return worst;
}
