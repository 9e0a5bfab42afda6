import { VernierError } from '#core/errors';
import {
  MONITOR_HEADER_WORDS,
  MONITOR_MAGIC,
  MONITOR_VERSION,
  monitorHeader,
  NODE_WORDS,
  OPERATION_WORDS,
} from '#stl/monitorProgram';

/** The twin of native/stl/program.cc. Arrays keep their bounds here by themselves, so only the frame is checked. */

export interface Operation {
  readonly op: number;
  readonly a: number;
  readonly b: number;
  readonly start: number;
  readonly p: number;
  readonly q: number;
  readonly r: number;
  readonly state: number;
}

export interface Node {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly from: number;
  readonly to: number;
}

export interface DecodedMonitor {
  readonly predicates: number;
  readonly stateWords: number;
  readonly value: number;
  readonly delay: number;
  readonly lower: number;
  readonly upper: number;
  readonly history: number;
  readonly historyAt: number;
  readonly settling: number;
  /** A position in `endings`. */
  readonly end: number;
  readonly closed: boolean;
  readonly holdsAtZero: readonly boolean[];
  readonly operations: readonly Operation[];
  readonly nodes: readonly Node[];
}

/** @throws PLAN */
export function decodeMonitor(code: Float64Array): DecodedMonitor {
  const refuse = (why: string): VernierError => new VernierError('PLAN', `malformed monitor program: ${why}`);
  const at = (word: keyof typeof monitorHeader): number => code[monitorHeader[word]] ?? Number.NaN;
  if (at('magic') !== MONITOR_MAGIC) throw refuse('the header is missing');
  if (at('version') !== MONITOR_VERSION) throw refuse('it is of another version');
  const [predicates, operations, nodes] = [at('predicates'), at('operations'), at('nodes')];
  const operationsAt = MONITOR_HEADER_WORDS + predicates;
  const nodesAt = operationsAt + operations * OPERATION_WORDS;
  if (code.length !== nodesAt + nodes * NODE_WORDS) throw refuse('its length is not what its header says');
  return {
    predicates,
    stateWords: at('state'),
    value: at('value'),
    delay: at('delay'),
    lower: at('lower'),
    upper: at('upper'),
    history: at('history'),
    historyAt: at('state') - at('history') * predicates,
    settling: at('settling'),
    end: at('end'),
    closed: at('closed') === 1,
    holdsAtZero: Array.from(code.subarray(MONITOR_HEADER_WORDS, operationsAt), (word) => word !== 0),
    operations: rows(code, operationsAt, operations, OPERATION_WORDS).map(
      ([op, a, b, start, p, q, r, state]) =>
        ({ op, a, b, start, p, q, r, state }) as { [K in keyof Operation]: number },
    ),
    nodes: rows(code, nodesAt, nodes, NODE_WORDS).map(
      ([kind, a, b, from, to]) => ({ kind, a, b, from, to }) as { [K in keyof Node]: number },
    ),
  };
}

function rows(code: Float64Array, from: number, count: number, width: number): Float64Array[] {
  return Array.from({ length: count }, (_, i) => code.subarray(from + i * width, from + (i + 1) * width));
}
