import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  containerArray,
  decodeContainer,
  encodeContainer,
  readFileBytes,
  writeFileAtomic,
} from '#core/container';
import { TaskCameras } from '#env/taskCameras';
import { type RolloutOptions, rollOut, subjectTask } from './pictures.js';
import { SIDE, type Subject } from './statements.js';

/** The pictures that the towers are trained on, with the truth of every statement.
 * @shape pixels [N, SIDE, SIDE, 3], truth [N, statements] */
export interface Dataset {
  readonly pixels: Uint8Array;
  readonly truth: Float32Array;
}

const KIND = 'two-tower-pictures';
const PICTURE = 3 * SIDE * SIDE;
const ERROR = { code: 'DATA', label: KIND } as const;

/** Good episodes, shaky ones, and ones that only wander; every seed lies below those of the held-out rollouts. */
const plans: readonly RolloutOptions[] = [
  { episodes: 96, seed: 100, noise: 0.15, keep: 0.2 },
  { episodes: 48, seed: 200, noise: 0.6, keep: 0.12 },
  { episodes: 32, seed: 300, noise: 'random', keep: 0.06 },
];

/** One task's pictures: taken over from the folder where they lie there, else drawn and put there. */
export async function loadPictures(folder: string, subject: Subject): Promise<Dataset> {
  const file = join(folder, `${subject.task}.vrn`);
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true });
    save(file, await drawPictures(subject));
  }
  const container = decodeContainer(readFileBytes(file), { kind: KIND, version: 1, ...ERROR });
  const count = container.meta['pictures'] as number;
  return {
    pixels: containerArray(container, 'pixels', 'u8', [count, SIDE, SIDE, 3], ERROR),
    truth: containerArray(container, 'truth', 'f32', [count, subject.statements.length], ERROR),
  };
}

function save(file: string, { pixels, truth }: Dataset): void {
  const pictures = pixels.length / PICTURE;
  const arrays = new Map([
    ['pixels', { shape: [pictures, SIDE, SIDE, 3], data: pixels }],
    ['truth', { shape: [pictures, truth.length / pictures], data: truth }],
  ] as const);
  writeFileAtomic(file, encodeContainer({ kind: KIND, version: 1, meta: { pictures }, arrays }));
}

async function drawPictures(subject: Subject): Promise<Dataset> {
  const task = await subjectTask(subject);
  const views = TaskCameras.open(task);
  const pictures: Uint8Array[] = [];
  const truths: Float32Array[] = [];
  for (const plan of plans) {
    for (const episode of await rollOut(task, views, plan)) {
      for (const [i, pair] of episode.pictures.entries()) {
        pictures.push(...pair);
        truths.push(...pair.map(() => episode.truths[i]!));
      }
    }
  }
  views.close();
  const width = subject.statements.length;
  const pixels = new Uint8Array(pictures.length * PICTURE);
  const truth = new Float32Array(pictures.length * width);
  for (const [i, picture] of pictures.entries()) {
    pixels.set(picture, i * PICTURE);
    truth.set(truths[i]!, i * width);
  }
  return { pixels, truth };
}

/** The pictures of several tasks in one, each false to the statements of the others. */
export function joined(parts: readonly Dataset[], widths: readonly number[]): Dataset {
  const total = widths.reduce((sum, width) => sum + width, 0);
  const counts = parts.map(({ pixels }) => pixels.length / PICTURE);
  const pictures = counts.reduce((sum, count) => sum + count, 0);
  const pixels = new Uint8Array(pictures * PICTURE);
  const truth = new Float32Array(pictures * total);
  for (let part = 0, row = 0, column = 0; part < parts.length; column += widths[part++]!) {
    pixels.set(parts[part]!.pixels, row * PICTURE);
    for (let i = 0; i < counts[part]!; i++, row++) {
      const own = parts[part]!.truth.subarray(i * widths[part]!, (i + 1) * widths[part]!);
      truth.set(own, row * total + column);
    }
  }
  return { pixels, truth };
}
