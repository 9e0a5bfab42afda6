/** Learns what the tiny model reads from pictures, and writes readout.json. Its layers are random; by full token
 * probabilities of the untrained model, asked as src/reward asks, its last hidden states h are worked out (the output
 * matrix is known, log p = W h - log Z), and two directions are fitted to them by ridge regression: one to how far the
 * block is, one to 1.
 *
 *   node --conditions=vernier-src --import ./tests/tools/typescript.mjs tests/reward/chatServer/learnReadout.ts */
import { writeFileSync } from 'node:fs';
import { Draws } from '#core/draws';
import { digitText, truthText } from '#reward/backends/chatAsker';
import { ChatClient, type ChatPart, type TokenProbability } from '#reward/backends/chatClient';
import {
  anchorParts,
  hopWordings,
  momentParts,
  progressWordings,
  taskText,
  truthWordings,
} from '#reward/backends/vlmChatPrompts';
import { valueOrderCorrelation } from '#reward/rankStatistics';
import { startChatServer } from './chatServer.js';
import { blockAt } from './pictures.js';
import { outputMatrix, type Readout, vocabulary } from './tinyVlm.js';

const instructions = ['move the block to the right', 'push the block to the wall', 'bring it over'];
const ridge = 0.5;
const anchored = anchorParts(blockAt(0), blockAt(1));

interface Sample {
  readonly hidden: Float64Array;
  readonly progress: number;
  /** Whether the progress counts: not behind the first token of an answer. */
  readonly first: boolean;
}

function questions(progress: number, draws: Draws): ChatPart[][] {
  const now = blockAt(progress, draws);
  const pick = (texts: readonly string[]) => texts[draws.below(texts.length)]!;
  const task = taskText(pick(instructions));
  const scale = { first: 0, low: 0, high: 1 } as const;
  const grade = [
    ...momentParts('NOW', now),
    { text: `${task} ${pick(progressWordings)}` },
    { text: digitText(scale) },
  ];
  const truth = [
    { text: task },
    ...momentParts('Picture 1', now),
    { text: pick(truthWordings) },
    { text: truthText },
  ];
  const hop = [
    { text: task },
    ...anchored,
    ...momentParts('BEFORE', blockAt(0)),
    ...momentParts('AFTER', now),
    { text: pick(hopWordings) },
    { text: digitText({ ...scale, first: 1 }) },
  ];
  return [grade, [...anchored, ...grade], truth, hop];
}

/** Solves A x = b for symmetric positive definite A, by elimination. */
function solve(a: readonly Float64Array[], b: Float64Array): Float64Array {
  const n = b.length;
  const m = a.map((row, i) => Float64Array.of(...row, b[i]!));
  for (let k = 0; k < n; k++) {
    for (let i = k + 1; i < n; i++) {
      const factor = m[i]![k]! / m[k]![k]!;
      for (let j = k; j <= n; j++) m[i]![j]! -= factor * m[k]![j]!;
    }
  }
  const x = new Float64Array(n);
  for (let i = n - 1; i >= 0; i--) {
    let sum = m[i]![n]!;
    for (let j = i + 1; j < n; j++) sum -= m[i]![j]! * x[j]!;
    x[i] = sum / m[i]![i]!;
  }
  return x;
}

/** Least squares with a ridge. @shape rows [N,d]; targets [N]; result [d] */
function regress(rows: readonly Float64Array[], targets: readonly number[], lambda: number): Float64Array {
  const d = rows[0]!.length;
  const gram = Array.from({ length: d }, (_, i) =>
    new Float64Array(d).fill(0).map((_, j) => (i === j ? lambda : 0)),
  );
  const moment = new Float64Array(d);
  for (const [n, row] of rows.entries()) {
    for (let i = 0; i < d; i++) {
      moment[i]! += row[i]! * targets[n]!;
      for (let j = 0; j < d; j++) gram[i]![j]! += row[i]! * row[j]!;
    }
  }
  return solve(gram, moment);
}

const tokens = vocabulary().texts;
const output = outputMatrix();
const width = output.shape[1]!;

/** The bytes above 127 are the tokens whose names are told apart. */
function hiddenOf(place: readonly TokenProbability[]): Float64Array {
  const rows: Float64Array[] = [];
  const targets: number[] = [];
  for (const { token, logprob } of place) {
    const byte = /^byte: \\x([89a-f][0-9a-f])$/.exec(token)?.[1];
    if (byte === undefined) continue;
    const at = tokens.indexOf(`<0x${byte.toUpperCase()}>`) * width;
    rows.push(Float64Array.of(...output.data.subarray(at, at + width), -1));
    targets.push(logprob);
  }
  return regress(rows, targets, 1e-9).subarray(0, width);
}

async function gather(client: ChatClient, count: number, seed: number): Promise<Sample[]> {
  const samples: Sample[] = [];
  const draws = new Draws(seed, 0);
  for (let i = 0; i < count; i++) {
    const progress = draws.uniform();
    for (const parts of questions(progress, draws)) {
      const answer = await client.ask({ parts, maxTokens: 4, temperature: 1, seed: i, topTokens: 1000 });
      for (const [place, told] of answer.tokens.entries())
        samples.push({ hidden: hiddenOf(told), progress, first: place === 0 });
    }
  }
  return samples;
}

const server = await startChatServer({ untrained: true });
const client = new ChatClient({
  endpoint: server.endpoint,
  model: 'tiny-vlm',
  timeout: 60,
  retries: 0,
  in_flight: 1,
});
const learned = await gather(client, 100, 1);
const first = learned.filter((sample) => sample.first);
const progress = regress(
  first.map(({ hidden }) => hidden),
  first.map((sample) => sample.progress),
  ridge,
);
const constant = regress(
  learned.map(({ hidden }) => hidden),
  learned.map(() => 1),
  ridge,
);
const readout: Readout = {
  progress: [...progress].map((value) => Number(value.toPrecision(6))),
  constant: [...constant].map((value) => Number(value.toPrecision(6))),
};
writeFileSync(new URL('readout.json', import.meta.url), `${JSON.stringify(readout)}\n`);

const held = (await gather(client, 30, 2)).filter((sample) => sample.first);
const read = held.map(({ hidden }) => hidden.reduce((sum, value, i) => sum + value * progress[i]!, 0));
const errors = held.map((sample, i) => (read[i]! - sample.progress) ** 2);
const byTruth = held.map((_, i) => i).sort((a, b) => held[a]!.progress - held[b]!.progress);
const voc = valueOrderCorrelation(byTruth.map((i) => read[i]!));
console.log(
  `${held.length} held-out questions: root of the mean squared error ${Math.sqrt(errors.reduce((a, b) => a + b) / errors.length).toFixed(3)}, rank correlation ${voc.toFixed(3)}`,
);
await server.kill();
