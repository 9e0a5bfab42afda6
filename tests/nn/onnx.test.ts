import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { PhiloxStream } from '#core/philox';
import { compile } from '#nn/compile';
import * as nn from '#nn/graph';
import { uniformFanIn } from '#nn/initializers';
import { mlp } from '#nn/layers';
import { exportOnnx } from '#nn/onnx';
import { draw, expectParity, runModel, runtime } from './onnxRuntime.js';

const x = nn.input('x', [2, 3, 4]);
const y = nn.input('y', [3, 1]);
const rows = nn.input('rows', [3, 4]);
const index = nn.input('index', [2], 'i32');
const parameters = new nn.ParameterBlock('ensemble', { rng: new PhiloxStream(3), members: 3 });
const parameter = parameters.add('w', [3, 4, 2], uniformFanIn());
parameters.add('pad', [3, 5], uniformFanIn());

/** Every operation of the graph; the type asks for the ones that are missing. */
const cases: Readonly<Record<nn.OpName, nn.Tensor>> = {
  input: x,
  parameter,
  constant: nn.add(rows, nn.constant([1, 2, 3], [3, 1])),
  neg: nn.neg(x),
  abs: nn.abs(x),
  square: nn.square(x),
  sqrt: nn.sqrt(nn.abs(x)),
  rsqrt: nn.rsqrt(nn.add(nn.abs(x), 1)),
  exp: nn.exp(x),
  log: nn.log(nn.add(nn.abs(x), 1)),
  softplus: nn.softplus(nn.mul(x, 20)),
  tanh: nn.tanh(x),
  relu: nn.relu(x),
  sigmoid: nn.sigmoid(x),
  erf: nn.erf(x),
  sin: nn.sin(x),
  cos: nn.cos(x),
  sign: nn.sign(nn.where(nn.less(0.5, x), x, nn.neg(nn.relu(nn.neg(x))))),
  add: nn.add(x, y),
  sub: nn.sub(y, x),
  mul: nn.mul(x, y),
  div: nn.div(x, nn.add(nn.abs(y), 1)),
  minimum: nn.minimum(x, y),
  maximum: nn.maximum(x, y),
  less: nn.less(x, y),
  lessEqual: nn.lessEqual(x, nn.minimum(x, y)),
  equal: nn.equal(x, nn.maximum(x, y)),
  reluGradient: nn.grad(nn.sum(nn.mul(nn.relu(x), y)), [x])[0]!,
  where: nn.where(nn.relu(x), y, nn.where(nn.less(x, y), 3, x)),
  clamp: nn.clamp(x, -0.5, 0.25),
  cast: nn.add(nn.cast(index), 0.5),
  stopGradient: nn.mul(nn.stopGradient(x), 2),
  broadcast: nn.broadcastTo(y, [2, 3, 4]),
  reshape: nn.reshape(x, [4, -1]),
  transpose: nn.transpose(x, [2, 0, 1]),
  slice: nn.slice(x, 2, 1, 3),
  concat: nn.concat([rows, nn.square(rows), y], 1),
  takeMembers: nn.takeMembers(parameter, index),
  matmul: nn.add(
    nn.matmul(x, nn.slice(parameter, 0, 0, 1)),
    nn.sum(nn.matmul(nn.transpose(x), rows, { transposeA: true, transposeB: true }), -1, true),
  ),
  normalize: nn.normalize(x),
  inverseDeviation: nn.inverseDeviation(x, 1e-3),
  normalizeGradient: nn.grad(nn.sum(nn.mul(nn.square(nn.normalize(x)), rows)), [x])[0]!,
  softmax: nn.softmax(nn.mul(x, 5)),
  logSoftmax: nn.logSoftmax(nn.mul(x, 5)),
  sum: nn.add(nn.sum(x, 1), nn.sum(x)),
  max: nn.add(nn.max(x, [0, 2], true), nn.max(x)),
  min: nn.add(nn.min(x, [0, 2]), nn.min(x)),
};

describe.skipIf(!runtime)(`ONNX in onnxruntime${runtime ? '' : ' (skipped: not installed)'}`, () => {
  it.each(Object.entries(cases))('%s', async (_, output) => {
    await expectParity({ output }, draw({ output }, [-1.5, 1.5]), 2e-6);
  });

  it('takes one value under two output names, an input too', async () => {
    const twice = nn.exp(x);
    await expectParity({ first: twice, second: twice, third: x }, draw({ twice }, [-1, 1]), 1e-6);
  });
});

// onnx.proto, as far as models of the engine go: another reader than the writer.
const { root } = protobuf.parse(`
  syntax = "proto2";
  message Model {
    optional int64 ir_version = 1; optional string producer_name = 2; optional Graph graph = 7;
    repeated Opset opset_import = 8; repeated Property metadata_props = 14;
  }
  message Opset { optional string domain = 1; optional int64 version = 2; }
  message Property { optional string key = 1; optional string value = 2; }
  message Graph {
    repeated Node node = 1; optional string name = 2; repeated TensorProto initializer = 5;
    repeated ValueInfo input = 11; repeated ValueInfo output = 12;
  }
  message Node { repeated string input = 1; repeated string output = 2; optional string op_type = 4; }
  message TensorProto {
    repeated int64 dims = 1; optional int32 data_type = 2; optional string name = 8; optional bytes raw_data = 9;
  }
  message ValueInfo { optional string name = 1; optional Type type = 2; }
  message Type { optional TensorType tensor_type = 1; }
  message TensorType { optional int32 elem_type = 1; optional TensorShape shape = 2; }
  message TensorShape { repeated Dimension dim = 1; }
  message Dimension { optional int64 dim_value = 1; }`);

interface DecodedModel {
  readonly opsetImport: readonly { readonly domain: string; readonly version: number }[];
  readonly metadataProps: readonly { readonly key: string; readonly value: string }[];
  readonly graph: {
    readonly name: string;
    readonly node: readonly {
      readonly input: string[];
      readonly output: string[];
      readonly opType: string;
    }[];
    readonly initializer: readonly {
      readonly name: string;
      readonly dims: number[];
      readonly rawData: Uint8Array;
    }[];
    readonly input: readonly { readonly name: string }[];
    readonly output: readonly { readonly name: string }[];
  };
}

function decodeModel(bytes: Uint8Array): DecodedModel {
  const Model = root.lookupType('Model');
  return Model.toObject(Model.decode(bytes), { longs: Number, arrays: true }) as DecodedModel;
}

describe('an ONNX model', () => {
  const block = new nn.ParameterBlock('actor', { rng: new PhiloxStream(5) });
  const network = mlp(block, 'mlp', { in: 6, hidden: [16, 16], out: 2, layerNorm: true });
  const action = nn.tanh(network.apply(nn.input('observation', [1, 6])));

  it('carries the parameters as they are, under their names, and the metadata', () => {
    const metadata = { observation: '["ee.position", "error"]', 'action.scale': '0.02' };
    const model = decodeModel(exportOnnx({ name: 'actor', outputs: { action }, metadata }));
    expect(model.opsetImport).toEqual([{ domain: '', version: 17 }]);
    expect(Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value]))).toEqual(metadata);
    expect(model.graph.input).toMatchObject([
      {
        name: 'observation',
        type: { tensorType: { elemType: 1, shape: { dim: [{ dimValue: 1 }, { dimValue: 6 }] } } },
      },
    ]);
    expect(model.graph.output).toMatchObject([{ name: 'action' }]);
    const weights = model.graph.initializer.find(({ name }) => name === 'actor.mlp.0.weight')!;
    expect(weights.dims).toEqual([6, 16]);
    const values = new Float32Array(weights.rawData.slice().buffer);
    expect(values).toEqual(block.view('mlp.0.weight'));
  });

  it('names every value once and uses none before it is made', () => {
    const loss = nn.mean(nn.square(nn.sub(action, nn.input('target', [1, 2]))));
    const gradients = nn.grad(loss, block.tensors);
    const outputs = Object.fromEntries(gradients.map((g, i) => [block.names[i]!, g]));
    const { graph } = decodeModel(exportOnnx({ name: 'gradients', outputs }));
    const made = [...graph.input, ...graph.initializer].map(({ name }) => name);
    for (const node of graph.node) {
      for (const name of node.input) expect(made, `${node.opType} reads ${name}`).toContain(name);
      made.push(...node.output);
    }
    expect(new Set(made).size).toBe(made.length);
    expect(graph.output.map(({ name }) => name)).toEqual(block.names);
  });

  it('keeps two blocks of one name apart, and an output off the name of an input', () => {
    const twin = block.clone('actor');
    twin.values.fill(0);
    const both = nn.add(action, network.apply(nn.input('observation', [1, 6]), { block: twin }));
    const { graph } = decodeModel(exportOnnx({ name: 'twins', outputs: { both } }));
    const biases = graph.initializer.filter(({ name }) => name.startsWith('actor.mlp.2.bias'));
    expect(biases).toHaveLength(2);
    expect(biases.map(({ rawData }) => rawData.some((byte) => byte !== 0))).toEqual([true, false]);
    expect(() => exportOnnx({ name: 'clash', outputs: { observation: action } })).toThrow(
      expect.objectContaining({ code: 'SHAPE', message: expect.stringContaining('observation') }),
    );
  });
});

describe.skipIf(!runtime)('a model with an open batch', () => {
  const block = new nn.ParameterBlock('words', { rng: new PhiloxStream(9) });
  const network = mlp(block, 'mlp', { in: 6, hidden: [5], out: 2, layerNorm: true });
  const table = block.add('table', [4, 3], uniformFanIn());
  /** Two tokens a row, looked up and put through the network. */
  const answer = (rows: number): nn.Tensor => {
    const ids = nn.reshape(nn.cast(nn.input('input_ids', [rows, 2], 'i32')), [rows, 2, 1]);
    const chosen = nn.equal(ids, nn.constant([0, 1, 2, 3]));
    return network.apply(nn.reshape(nn.matmul(chosen, table), [rows, 6]));
  };

  it('answers any number of rows as the graph does, and reads int64', async () => {
    const model = exportOnnx({ name: 'open', outputs: { answer: answer(1) }, openBatch: true, int64: true });
    for (const rows of [1, 3, 8]) {
      const ids = Array.from({ length: 2 * rows }, (_, i) => (7 * i + 1) % 4);
      const program = compile({ name: 'open', outputs: { answer: answer(rows) } }, { backend: 'reference' });
      program.inputs['input_ids']!.set(ids);
      program.run();
      const feed = { data: BigInt64Array.from(ids, BigInt), dims: [rows, 2] };
      const { answer: found } = await runModel(model, { input_ids: feed });
      expect(found!.dims).toEqual([rows, 2]);
      for (const [i, value] of program.outputs['answer']!.entries())
        expect(found!.data[i]).toBeCloseTo(value, 5);
      program.close();
    }
  });

  it('refuses what mixes the rows', () => {
    const spread = nn.broadcastTo(nn.input('x', [1, 2]), [4, 2]);
    expect(() => exportOnnx({ name: 'spread', outputs: { spread }, openBatch: true })).toThrow(
      /batch cannot be open/,
    );
  });
});
