import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packageRoot } from '#native/addon';
import * as nn from '#nn/graph';
import { exportOnnx } from '#nn/onnx';
import { markdownTable } from './learningRun.js';
import { type Dataset, joined, loadPictures } from './twoTower/dataset.js';
import { type Figures, measure, pictureTime } from './twoTower/measure.js';
import { CONTEXT, EMBEDDING, type Towers } from './twoTower/network.js';
import { SIDE, subjects } from './twoTower/statements.js';
import { trainTowers } from './twoTower/training.js';
import { makeVocabulary } from './twoTower/vocabulary.js';

/** `npm run bench:two-tower`: draws pictures of four tasks with captions from the simulator, trains two towers on them,
 * writes models/two_tower as Hugging Face lays a CLIP model out, and measures it on held-out episodes. */

const USAGE = `npm run bench:two-tower -- [options]
  --task name       only one task: draw its pictures, or with --measure its figures
  --steps n         of the training
  --seed n
  --seconds n       put the training away after so long; the same command goes on
  --measure         only measure the model that is there
  --out folder      models/two_tower`;

const { values } = parseArgs({
  options: {
    task: { type: 'string' },
    steps: { type: 'string', default: '3000' },
    seed: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '86400' },
    measure: { type: 'boolean', default: false },
    out: { type: 'string', default: join(packageRoot, 'models', 'two_tower') },
    help: { type: 'boolean', default: false },
  },
});

const chosen = subjects.filter(({ task }) => values.task === undefined || task === values.task);
const scratch = join(packageRoot, 'runs', 'bench', 'two_tower');
const PREPROCESSING = {
  do_resize: true,
  size: { shortest_edge: SIDE },
  resample: 3,
  do_center_crop: true,
  crop_size: { height: SIDE, width: SIDE },
  do_rescale: true,
  rescale_factor: 1 / 255,
  do_normalize: true,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
};

/** @returns false when the time was up before the model was done */
async function makeModel(): Promise<boolean> {
  const parts: Dataset[] = [];
  for (const subject of chosen) {
    const part = await loadPictures(scratch, subject);
    console.log(`${subject.task}: ${part.pixels.length / (3 * SIDE * SIDE)} pictures`);
    parts.push(part);
  }
  if (values.task !== undefined) return false;
  const vocabulary = makeVocabulary(
    subjects.flatMap(({ statements }) => statements.flatMap(({ wordings }) => wordings)),
  );
  const widths = subjects.map(({ statements }) => statements.length);
  const started = performance.now();
  const towers = trainTowers(joined(parts, widths), vocabulary, {
    steps: Number(values.steps),
    seed: Number(values.seed),
    state: join(scratch, `training-${values.seed}-${values.steps}.vrn`),
    seconds: Number(values.seconds),
    report: (step, loss) => {
      const seconds = (performance.now() - started) / 1000;
      console.log(`step ${step}: loss ${loss.toFixed(3)}, ${seconds.toFixed(0)} s`);
    },
  });
  if (!towers) {
    console.log('put away unfinished: the same command goes on');
    return false;
  }
  writeModel(towers, {
    'config.json': {
      model_type: 'clip',
      projection_dim: EMBEDDING,
      text_config: { max_position_embeddings: CONTEXT, vocab_size: vocabulary.size },
      vision_config: { image_size: SIDE },
    },
    'preprocessor_config.json': PREPROCESSING,
    ...vocabulary.files,
  });
  return true;
}

function writeModel(towers: Towers, files: Readonly<Record<string, unknown>>): void {
  mkdirSync(values.out, { recursive: true });
  const open = { openBatch: true, int64: true } as const;
  const pixels = nn.transpose(nn.input('pixel_values', [1, 3, SIDE, SIDE]), [0, 2, 3, 1]);
  const { embedding, spatial } = towers.image(pixels);
  const vision = { image_embeds: embedding, last_hidden_state: spatial };
  writeFileSync(
    join(values.out, 'vision_model.onnx'),
    exportOnnx({ name: 'vision', outputs: vision, ...open }),
  );
  const text = { text_embeds: towers.text(nn.input('input_ids', [1, CONTEXT], 'i32')) };
  writeFileSync(join(values.out, 'text_model.onnx'), exportOnnx({ name: 'text', outputs: text, ...open }));
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(values.out, name), `${JSON.stringify(content, null, 2)}\n`);
  }
}

interface Measured {
  readonly figures: readonly Figures[];
  readonly calibrate: string;
  readonly machine: string;
  readonly load: number;
}

/** Measures what is chosen; the page is written from whatever has been measured. */
async function measureModel(): Promise<void> {
  const file = (task: string): string => join(scratch, `figures-${task}.json`);
  mkdirSync(scratch, { recursive: true });
  for (const subject of chosen) {
    const load = loadavg()[0]!;
    const machine = `${cpus().length} x ${cpus()[0]!.model.trim()}`;
    const measured: Measured = { ...(await measure(subject, values.out)), machine, load };
    writeFileSync(file(subject.task), JSON.stringify(measured));
    for (const row of measured.figures) console.log(row);
  }
  const known = subjects.flatMap((subject) => {
    if (!existsSync(file(subject.task))) return [];
    return [{ subject, ...(JSON.parse(readFileSync(file(subject.task), 'utf8')) as Measured) }];
  });
  const figures = known.flatMap((measured) => measured.figures);
  const words = known.map(({ subject, calibrate }) => [
    subject.task,
    subject.goal,
    subject.baseline,
    `\`${calibrate}\``,
  ]);
  const loads = known.map(({ load }) => load);
  const range = [Math.min(...loads), Math.max(...loads)].map((load) => load.toFixed(1)).join(' to ');
  const machines = `${[...new Set(known.map(({ machine }) => machine))].join('; ')}, load ${range}`;
  const sizes = readdirSync(values.out)
    .filter((name) => /\.(onnx|json)$/.test(name))
    .map((name) => statSync(join(values.out, name)).size);
  const kilobytes = sizes.reduce((sum, size) => sum + size, 0) / 1000;
  const milliseconds = await pictureTime(subjects[0]!, values.out);
  writeFileSync(join(values.out, 'README.md'), page(figures, words, machines, kilobytes, milliseconds));
}

function page(
  figures: readonly Figures[],
  words: readonly (readonly string[])[],
  machines: string,
  kilobytes: number,
  milliseconds: number,
): string {
  const rows = figures.map(({ task, score, expert, weak, success }) => [
    task,
    score,
    expert.toFixed(3),
    weak.toFixed(3),
    Number.isNaN(success) ? '' : success.toFixed(3),
  ]);
  const statements = subjects.reduce((sum, subject) => sum + subject.statements.length, 0);
  return `# A model of pictures and texts, two towers of ${kilobytes.toFixed(0)} kB together

Made by \`npm run bench:two-tower\` (bench/twoTower.ts) from nothing but this project: pictures of ${subjects.length} tasks at ${SIDE} pixels,
drawn from two cameras along episodes of good, shaky and aimless experts, and ${statements} statements whose truth the simulator knows.
Both towers are trained by the project's own engine with SigLIP's loss, then laid out as Hugging Face lays a CLIP model out. It
knows these tasks from these cameras and nothing else; it stands in for a large model where a test or a small machine needs one.

## Measured

Episodes whose seeds were never drawn from: 16 by the expert, 16 by an expert with so much noise that it often fails, 16 of
random walks. VOC: rank correlation of score and time, mean over the expert's episodes with success. Progress: rank correlation
with the simulator's progress, mean over the shaky episodes. Success: how often an episode with success ends on a higher score than
one without (area under the curve). goal-image compares with the end of one expert episode, which the others do not share.

${markdownTable([['task', 'score', 'VOC', 'progress', 'success'], ...rows])}

One picture takes ${milliseconds.toFixed(1)} ms on one thread. Measured on ${machines}.

## In a task file

${markdownTable([['task', 'goal', 'baseline', 'calibrate at alpha 0.5'], ...words])}

\`calibrate\`: the medians of the random walks and of the ends of the expert's episodes. The cameras, near enough for the parts to be
seen, stand in bench/twoTower/statements.ts.
`;
}

if (values.help) console.log(USAGE);
else if (values.measure || (await makeModel())) await measureModel();
