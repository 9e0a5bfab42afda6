import { type Instruction, runArithmetic } from '#expr/arithmetic';
import { needsOf } from '#expr/evaluate';
import {
  CODE_VERSION,
  HEADER_WORDS,
  header,
  INSTRUCTION_WORDS,
  MAGIC,
  type ModelSizes,
  opcode,
} from '#expr/program';

/** The data-flow graph between the checked expressions and the bytecode: equal nodes are one node, and what depends on
 * constants alone is computed here. */

type GraphNode =
  | {
      readonly kind: 'constant';
      readonly id: number;
      readonly length: number;
      readonly values: readonly number[];
    }
  | {
      readonly kind: 'operation';
      readonly id: number;
      readonly length: number;
      readonly op: number;
      readonly n: number;
      readonly operands: readonly Operand[];
    }
  | {
      readonly kind: 'read';
      readonly id: number;
      readonly length: number;
      readonly op: number;
      readonly where: readonly number[];
    }
  | { readonly kind: 'pack'; readonly id: number; readonly length: number; readonly parts: readonly Ref[] };

/** `length` consecutive numbers of a node. */
export interface Ref {
  readonly node: GraphNode;
  readonly offset: number;
  readonly length: number;
}

interface Operand extends Ref {
  /** 0 repeats a scalar. */
  readonly stride: 0 | 1;
}

const resultLengths: ReadonlyMap<number, number> = new Map([
  [opcode.dot, 1],
  [opcode.norm, 1],
  [opcode.quaternionYaw, 1],
  [opcode.quaternionAngle, 1],
  [opcode.vectorAngle, 1],
]);

export class Graph {
  readonly #nodes = new Map<string, GraphNode>();

  constant(values: readonly number[]): Ref {
    const key = `c${values.map((value) => (Object.is(value, -0) ? '-0' : value)).join(',')}`;
    return whole(this.#intern(key, (id) => ({ kind: 'constant', id, length: values.length, values })));
  }

  /** Element-wise over n, or one of the geometric operations; operands of length 1 are repeated. */
  operation(op: number, n: number, operands: readonly Ref[]): Ref {
    const full = operands.map((ref): Operand => ({ ...ref, stride: ref.length === 1 ? 0 : 1 }));
    const length = resultLengths.get(op) ?? n;
    if (full.every((operand) => operand.node.kind === 'constant'))
      return this.constant(fold(op, n, length, full));
    const key = `o${op},${n}:${full.map((operand) => `${operand.node.id}+${operand.offset}*${operand.stride}`).join(',')}`;
    return whole(this.#intern(key, (id) => ({ kind: 'operation', id, length, op, n, operands: full })));
  }

  /** A model read of n numbers; `where` are its a, b, c, d. */
  read(op: number, n: number, where: readonly number[]): Ref {
    const key = `r${op},${n}:${where.join(',')}`;
    return whole(this.#intern(key, (id) => ({ kind: 'read', id, length: n, op, where })));
  }

  /** The parts one behind the other. */
  pack(parts: readonly Ref[]): Ref {
    const merged = mergeNeighbours(parts);
    if (merged.length === 1) return merged[0]!;
    if (merged.every((part) => part.node.kind === 'constant'))
      return this.constant(merged.flatMap(constantValues));
    const length = merged.reduce((sum, part) => sum + part.length, 0);
    const key = `p${merged.map((part) => `${part.node.id}+${part.offset}*${part.length}`).join(',')}`;
    return whole(this.#intern(key, (id) => ({ kind: 'pack', id, length, parts: merged })));
  }

  #intern(key: string, make: (id: number) => GraphNode): GraphNode {
    let node = this.#nodes.get(key);
    if (!node) {
      node = make(this.#nodes.size);
      this.#nodes.set(key, node);
    }
    return node;
  }
}

function whole(node: GraphNode): Ref {
  return { node, offset: 0, length: node.length };
}

export function slice(ref: Ref, offset: number, length: number): Ref {
  return { node: ref.node, offset: ref.offset + offset, length };
}

/** The numbers of a ref, if they are known already. */
export function constantValues(ref: Ref): readonly number[] {
  return ref.node.kind === 'constant' ? ref.node.values.slice(ref.offset, ref.offset + ref.length) : [];
}

function mergeNeighbours(parts: readonly Ref[]): Ref[] {
  const merged: Ref[] = [];
  for (const part of parts) {
    const last = merged.at(-1);
    if (last && last.node === part.node && last.offset + last.length === part.offset) {
      merged[merged.length - 1] = { ...last, length: last.length + part.length };
    } else {
      merged.push(part);
    }
  }
  return merged;
}

function fold(op: number, n: number, length: number, operands: readonly Operand[]): number[] {
  const starts: number[] = [];
  const registers: number[] = [];
  for (const operand of operands) {
    starts.push(registers.length);
    registers.push(...constantValues(operand));
  }
  const destination = registers.length;
  const r = new Float64Array(destination + length);
  r.set(registers);
  runArithmetic(encode(op, n, destination, starts, operands), r);
  return [...r.subarray(destination)];
}

function encode(
  op: number,
  n: number,
  destination: number,
  starts: readonly number[],
  operands: readonly Operand[],
): Instruction {
  return {
    op,
    n,
    destination,
    a: starts[0] ?? 0,
    strideA: operands[0]?.stride ?? 0,
    b: starts[1] ?? 0,
    strideB: operands[1]?.stride ?? 0,
    c: starts[2] ?? 0,
    strideC: operands[2]?.stride ?? 0,
    d: 0,
  };
}

/** Turns what the outputs depend on into bytecode; the rest of the graph leaves no trace. */
export function generateCode(outputs: readonly Ref[], sizes: ModelSizes): Float64Array {
  const reachable = topologicalOrder(outputs);
  const addresses = new Map<GraphNode, number>();
  const constants: number[] = [];
  for (const node of reachable) {
    if (node.kind !== 'constant') continue;
    addresses.set(node, constants.length);
    constants.push(...node.values);
  }
  let registers = constants.length;
  const instructions: Instruction[] = [];
  const address = (ref: Ref): number => addresses.get(ref.node)! + ref.offset;
  for (const node of reachable) {
    if (node.kind === 'constant') continue;
    addresses.set(node, registers);
    instructions.push(...lower(node, registers, address));
    registers += node.length;
  }
  const outputRegisters = outputs.flatMap((ref) =>
    Array.from({ length: ref.length }, (_, i) => address(ref) + i),
  );
  return assemble(constants, registers, instructions, outputRegisters, sizes);
}

function topologicalOrder(outputs: readonly Ref[]): GraphNode[] {
  const order: GraphNode[] = [];
  const seen = new Set<GraphNode>();
  const visit = (node: GraphNode): void => {
    if (seen.has(node)) return;
    seen.add(node);
    const inputs = node.kind === 'operation' ? node.operands : node.kind === 'pack' ? node.parts : [];
    for (const input of inputs) visit(input.node);
    order.push(node);
  };
  for (const output of outputs) visit(output.node);
  return order;
}

function lower(
  node: Exclude<GraphNode, { kind: 'constant' }>,
  destination: number,
  address: (ref: Ref) => number,
): Instruction[] {
  switch (node.kind) {
    case 'operation':
      return [encode(node.op, node.n, destination, node.operands.map(address), node.operands)];
    case 'read': {
      const [a = 0, b = 0, c = 0, d = 0] = node.where;
      return [{ op: node.op, n: node.length, destination, a, strideA: 0, b, strideB: 0, c, strideC: 0, d }];
    }
    case 'pack': {
      let at = destination;
      return node.parts.map((part) => {
        const move = encode(opcode.move, part.length, at, [address(part)], [{ ...part, stride: 1 }]);
        at += part.length;
        return move;
      });
    }
    default:
      throw node satisfies never;
  }
}

function assemble(
  constants: readonly number[],
  registers: number,
  instructions: readonly Instruction[],
  outputs: readonly number[],
  sizes: ModelSizes,
): Float64Array {
  const code = new Float64Array(
    HEADER_WORDS + constants.length + instructions.length * INSTRUCTION_WORDS + outputs.length,
  );
  code[header.magic] = MAGIC;
  code[header.version] = CODE_VERSION;
  for (const key of ['nq', 'nv', 'nu', 'nbody', 'nsite', 'ngeom', 'nsensordata'] as const)
    code[header[key]] = sizes[key];
  code[header.actionLength] = longest(instructions, opcode.action);
  code[header.commandLength] = longest(instructions, opcode.command);
  code[header.constants] = constants.length;
  code[header.registers] = registers;
  code[header.instructions] = instructions.length;
  code[header.outputs] = outputs.length;
  code[header.needs] = instructions.reduce((sum, { op }) => sum | needsOf(op), 0);
  code.set(constants, HEADER_WORDS);
  let at = HEADER_WORDS + constants.length;
  for (const i of instructions) {
    code.set([i.op, i.n, i.destination, i.a, i.strideA, i.b, i.strideB, i.c, i.strideC, i.d], at);
    at += INSTRUCTION_WORDS;
  }
  code.set(outputs, at);
  return code;
}

/** How many entries of the action or command the instructions read. */
function longest(instructions: readonly Instruction[], op: number): number {
  return instructions.reduce((most, i) => (i.op === op ? Math.max(most, i.a + i.n) : most), 0);
}
