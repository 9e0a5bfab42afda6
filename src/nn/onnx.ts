import { VernierError } from '#core/errors';
import { ProtoWriter } from '#core/protobuf';
import { topologicalOrder } from '#nn/autodiff';
import { collectInputs } from '#nn/program';
import { type Shape, sizeOf } from '#nn/shape';
import type { OpAttributes, OpName, Tensor } from '#nn/tensor';

/** Any graph of the engine as an ONNX model, a gradient's graph too: parameters become initializers with the
 * values they have now, shapes stay static unless asked otherwise, and only operators of the standard domain are used. */

export interface OnnxOptions {
  readonly name: string;
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Kept in the model, readable by every runtime: observation order, units, scales. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Leaves the leading axis of every input and output open, under the name `batch`. For graphs in which each row is
   * worked on alone: nothing may mix, broadcast or reorder the leading axis. */
  readonly openBatch?: boolean;
  /** Integer inputs as int64, as models of text have them elsewhere; int32 when left out. */
  readonly int64?: boolean;
}

/** Operator set 17, the first with LayerNormalization, and the file format of its time. */
const OPSET = 17;
const IR_VERSION = 8;

/** TensorProto.DataType */
const FLOAT = 1;
const INT32 = 6;
const INT64 = 7;
const BOOL = 9;

export function exportOnnx(options: OnnxOptions): Uint8Array {
  const { name, outputs, metadata = {} } = options;
  const graph = new OnnxGraph(options.openBatch ?? false, options.int64 ?? false);
  const inputs = collectInputs({ name, stages: [{ outputs }] });
  for (const [inputName, node] of inputs) graph.declareInput(inputName, node);
  for (const node of topologicalOrder(Object.values(outputs))) graph.add(node);
  for (const [outputName, node] of Object.entries(outputs)) graph.declareOutput(outputName, node);
  const model = new ProtoWriter().varint(1, IR_VERSION).string(2, 'vernier');
  model.message(7, (message) => graph.write(message, name));
  model.message(8, (opset) => opset.string(1, '').varint(2, OPSET));
  for (const [key, value] of Object.entries(metadata)) {
    model.message(14, (entry) => entry.string(1, key).string(2, value));
  }
  return model.finish();
}

type Attribute = number | readonly number[] | { readonly float: number };

/** The graph under construction; values are known by their names. */
class OnnxGraph {
  readonly openBatch: boolean;
  readonly #int64: boolean;
  readonly #names = new Map<Tensor, string>();
  readonly #taken = new Set<string>();
  /** A comparison's value before it is made a number: what Where and Cast read. */
  readonly #booleans = new Map<Tensor, string>();
  readonly #integers = new Map<string, string>();
  readonly #nodes: ((graph: ProtoWriter) => void)[] = [];
  readonly #initializers: ((graph: ProtoWriter) => void)[] = [];
  readonly #inputs: ((graph: ProtoWriter) => void)[] = [];
  readonly #outputs: ((graph: ProtoWriter) => void)[] = [];

  constructor(openBatch: boolean, int64: boolean) {
    this.openBatch = openBatch;
    this.#int64 = int64;
  }

  declareInput(name: string, node: Tensor): void {
    this.#taken.add(name);
    this.#inputs.push((graph) => writeValueInfo(graph, 11, name, this.#valueInfo(node)));
  }

  declareOutput(name: string, node: Tensor): void {
    if (this.#taken.has(name)) {
      throw new VernierError('SHAPE', `ONNX export: the output ${name} has the name of another value`);
    }
    this.#taken.add(name);
    this.#pushNode('Identity', [this.nameOf(node)], name, {});
    this.#outputs.push((graph) => writeValueInfo(graph, 12, name, this.#valueInfo(node)));
  }

  #valueInfo({ dtype, shape }: Tensor): ValueInfo {
    const integers = this.#int64 ? INT64 : INT32;
    return { type: dtype === 'i32' ? integers : FLOAT, shape, openBatch: this.openBatch };
  }

  add(node: Tensor): void {
    const emit = emitters[node.op] as Emitter<OpName>;
    this.#names.set(
      node,
      emit(
        this,
        node,
        node.inputs.map((operand) => this.nameOf(operand)),
      ),
    );
  }

  nameOf(node: Tensor): string {
    return this.#names.get(node)!;
  }

  /** Appends an operator and returns the name of its result. */
  node(
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    const result = this.#unique(operator);
    this.#pushNode(operator, inputs, result, attributes);
    return result;
  }

  /** A comparison's 1 or 0; its truth value stays at hand for `condition`. */
  comparison(node: Tensor, operator: string, inputs: readonly string[]): string {
    const truth = this.node(operator, inputs);
    this.#booleans.set(node, truth);
    return this.node('Cast', [truth], { to: FLOAT });
  }

  /** The truth value of a number: whether it is not 0. */
  condition(node: Tensor): string {
    const known = this.#booleans.get(node) ?? this.node('Cast', [this.nameOf(node)], { to: BOOL });
    this.#booleans.set(node, known);
    return known;
  }

  floats(name: string, shape: Shape, values: Float32Array): string {
    const unique = this.#unique(name);
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.#initializers.push((graph) => writeTensor(graph, unique, shape, FLOAT, bytes));
    return unique;
  }

  scalar(value: number): string {
    return this.floats('constant', [], Float32Array.of(value));
  }

  /** Shapes, axes and bounds: small, and shared by all who need the same. */
  integers(values: readonly number[]): string {
    const key = values.join();
    const known = this.#integers.get(key);
    if (known !== undefined) return known;
    const name = this.#unique('integers');
    const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    this.#initializers.push((graph) => writeTensor(graph, name, [values.length], INT64, bytes));
    this.#integers.set(key, name);
    return name;
  }

  write(graph: ProtoWriter, name: string): void {
    for (const write of this.#nodes) write(graph);
    graph.string(2, name);
    for (const write of this.#initializers) write(graph);
    for (const write of this.#inputs) write(graph);
    for (const write of this.#outputs) write(graph);
  }

  #pushNode(
    operator: string,
    inputs: readonly string[],
    result: string,
    attributes: Readonly<Record<string, Attribute>>,
  ): void {
    this.#nodes.push((graph) =>
      graph.message(1, (node) => {
        for (const input of inputs) node.string(1, input);
        node.string(2, result).string(3, result).string(4, operator);
        for (const [key, value] of Object.entries(attributes)) writeAttribute(node, key, value);
      }),
    );
  }

  #unique(stem: string): string {
    let name = stem;
    for (let copy = 1; this.#taken.has(name); copy++) name = `${stem}_${copy}`;
    this.#taken.add(name);
    return name;
  }
}

type Emitter<O extends OpName> = (graph: OnnxGraph, node: Tensor<O>, inputs: readonly string[]) => string;

const plain =
  (operator: string): Emitter<OpName> =>
  (graph, _, inputs) =>
    graph.node(operator, inputs);

const comparison =
  (operator: string): Emitter<OpName> =>
  (graph, node, inputs) =>
    graph.comparison(node, operator, inputs);

const meanOfRows = (graph: OnnxGraph, x: string): string =>
  graph.node('ReduceMean', [x], { axes: [-1], keepdims: 1 });

const extremum =
  (operator: string): Emitter<'max' | 'min'> =>
  (graph, { attributes: { axes, keepDims } }, inputs) =>
    axes.length === 0 ? inputs[0]! : graph.node(operator, inputs, { axes, keepdims: Number(keepDims) });

/** Swaps the last two axes where the product asks for it. */
function transposed(graph: OnnxGraph, name: string, { shape }: Tensor, swap: boolean): string {
  if (!swap) return name;
  const rank = shape.length;
  const perm = shape.map((_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i));
  return graph.node('Transpose', [name], { perm });
}

function parameterValues({ attributes: { block, name }, shape }: Tensor<'parameter'>): Float32Array {
  const size = sizeOf(shape) / block.members;
  const values = new Float32Array(sizeOf(shape));
  for (let member = 0; member < block.members; member++) {
    const start = member * block.memberStride + block.offsetOf(name);
    values.set(block.values.subarray(start, start + size), member * size);
  }
  return values;
}

/** How each operation of the engine is said in ONNX. */
const emitters: { readonly [O in keyof OpAttributes]: Emitter<O> } = {
  input: (_, { attributes }) => attributes.name,
  parameter: (graph, node) =>
    graph.floats(`${node.attributes.block.name}.${node.attributes.name}`, node.shape, parameterValues(node)),
  constant: (graph, { shape, attributes }) =>
    graph.floats('constant', shape, Float32Array.from(attributes.values)),
  neg: plain('Neg'),
  abs: plain('Abs'),
  square: (graph, _, [x]) => graph.node('Mul', [x!, x!]),
  sqrt: plain('Sqrt'),
  rsqrt: (graph, _, inputs) => graph.node('Reciprocal', [graph.node('Sqrt', inputs)]),
  exp: plain('Exp'),
  log: plain('Log'),
  softplus: plain('Softplus'),
  tanh: plain('Tanh'),
  relu: plain('Relu'),
  sigmoid: plain('Sigmoid'),
  erf: plain('Erf'),
  sin: plain('Sin'),
  cos: plain('Cos'),
  sign: plain('Sign'),
  add: plain('Add'),
  sub: plain('Sub'),
  mul: plain('Mul'),
  div: plain('Div'),
  minimum: plain('Min'),
  maximum: plain('Max'),
  less: comparison('Less'),
  lessEqual: comparison('LessOrEqual'),
  equal: comparison('Equal'),
  reluGradient: (graph, _, [g, y]) =>
    graph.node('Where', [graph.node('Greater', [y!, graph.scalar(0)]), g!, graph.scalar(0)]),
  where: (graph, node, [, a, b]) => graph.node('Where', [graph.condition(node.inputs[0]!), a!, b!]),
  clamp: (graph, { attributes: { low, high } }, [x]) =>
    graph.node('Clip', [x!, graph.scalar(low), graph.scalar(high)]),
  cast: (graph, _, inputs) => graph.node('Cast', inputs, { to: FLOAT }),
  stopGradient: (_, __, [x]) => x!,
  sum: (graph, { attributes: { axes, keepDims } }, [x]) =>
    axes.length === 0
      ? x!
      : graph.node('ReduceSum', [x!, graph.integers(axes)], { keepdims: Number(keepDims) }),
  max: extremum('ReduceMax'),
  min: extremum('ReduceMin'),
  broadcast: (graph, { shape }, [x]) => {
    if (graph.openBatch)
      throw new VernierError(
        'SHAPE',
        `ONNX export: a value is spread to [${shape}], so its batch cannot be open`,
      );
    return graph.node('Expand', [x!, graph.integers(shape)]);
  },
  reshape: (graph, { shape }, [x]) => {
    const target = graph.openBatch && shape.length > 0 ? [-1, ...shape.slice(1)] : shape;
    return graph.node('Reshape', [x!, graph.integers(target)]);
  },
  transpose: (graph, { attributes }, inputs) => graph.node('Transpose', inputs, { perm: attributes.axes }),
  slice: (graph, { attributes: { axis, from, to } }, [x]) =>
    graph.node('Slice', [x!, graph.integers([from]), graph.integers([to]), graph.integers([axis])]),
  concat: (graph, { attributes }, inputs) => graph.node('Concat', inputs, { axis: attributes.axis }),
  takeMembers: (graph, _, inputs) => graph.node('Gather', inputs, { axis: 0 }),
  matmul: (graph, { inputs: [a, b], attributes }, [nameA, nameB]) =>
    graph.node('MatMul', [
      transposed(graph, nameA!, a!, attributes.transposeA),
      transposed(graph, nameB!, b!, attributes.transposeB),
    ]),
  normalize: (graph, { shape, attributes: { epsilon } }, [x]) => {
    const width = shape.at(-1)!;
    const gain = graph.floats('ones', [width], new Float32Array(width).fill(1));
    return graph.node('LayerNormalization', [x!, gain], { axis: -1, epsilon: { float: epsilon } });
  },
  inverseDeviation: (graph, { attributes: { epsilon } }, [x]) => {
    const centred = graph.node('Sub', [x!, meanOfRows(graph, x!)]);
    const variance = meanOfRows(graph, graph.node('Mul', [centred, centred]));
    return graph.node('Reciprocal', [
      graph.node('Sqrt', [graph.node('Add', [variance, graph.scalar(epsilon)])]),
    ]);
  },
  normalizeGradient: (graph, _, [g, y, inverse]) => {
    const along = graph.node('Mul', [y!, meanOfRows(graph, graph.node('Mul', [g!, y!]))]);
    const centred = graph.node('Sub', [graph.node('Sub', [g!, meanOfRows(graph, g!)]), along]);
    return graph.node('Mul', [centred, inverse!]);
  },
  softmax: (graph, _, inputs) => graph.node('Softmax', inputs, { axis: -1 }),
  logSoftmax: (graph, _, inputs) => graph.node('LogSoftmax', inputs, { axis: -1 }),
};

function writeAttribute(node: ProtoWriter, name: string, value: Attribute): void {
  node.message(5, (attribute) => {
    attribute.string(1, name);
    if (typeof value === 'number') attribute.varint(3, value).varint(20, 2);
    else if ('float' in value) attribute.float(2, value.float).varint(20, 1);
    else {
      for (const entry of value) attribute.varint(8, entry);
      attribute.varint(20, 7);
    }
  });
}

function writeTensor(graph: ProtoWriter, name: string, shape: Shape, type: number, bytes: Uint8Array): void {
  graph.message(5, (tensor) => {
    for (const n of shape) tensor.varint(1, n);
    tensor.varint(2, type).string(8, name).bytes(9, bytes);
  });
}

interface ValueInfo {
  readonly type: number;
  readonly shape: Shape;
  readonly openBatch: boolean;
}

function writeValueInfo(graph: ProtoWriter, field: number, name: string, value: ValueInfo): void {
  graph.message(field, (info) =>
    info.string(1, name).message(2, (type) =>
      type.message(1, (tensor) =>
        tensor.varint(1, value.type).message(2, (dimensions) => {
          for (const [axis, n] of value.shape.entries()) {
            const open = axis === 0 && value.openBatch;
            dimensions.message(1, (d) => (open ? d.string(2, 'batch') : d.varint(1, n)));
          }
        }),
      ),
    ),
  );
}
