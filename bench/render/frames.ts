import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, constants, deflateRawSync } from 'node:zlib';
import { makeFrame, type Picture, pictureHash } from '#core/frame';
import { encodePng } from '#core/png';
import { FrameStore } from '#data/frameStore';
import { Renderer, type RendererOptions, type ScenePose } from '#env/renderer';
import { type Scene, scenes, variants } from './scenes.js';

/* Times frames in this process and prints one JSON object. What is compared is drawn in turns. Started by bench/render.ts.
 * Usage: frames.ts SIDES ROUNDS [all]: `all` also times the variants and the store */

export interface Timing {
  readonly median: number;
  readonly p99: number;
}
export interface SceneTimings {
  readonly scene: string;
  readonly side: number;
  readonly frame: Timing;
  /** Medians, ms. */
  readonly variants: Readonly<Record<string, number>>;
  readonly hash: number;
  /** Median ms and mean bytes of ways to keep a frame. */
  readonly kept: Readonly<Record<string, { readonly ms: number; readonly bytes: number }>>;
}

const [sides = '', rounds = '', all] = process.argv.slice(2);

function timing(samples: number[]): Timing {
  const sorted = samples.sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1]!, p99: sorted[Math.floor(0.99 * sorted.length)]! };
}

function timed<T>(samples: number[], work: () => T): T {
  const start = performance.now();
  const result = work();
  samples.push(performance.now() - start);
  return result;
}

interface Variant {
  readonly coarse?: boolean;
  readonly samples?: number;
  readonly shadows?: boolean;
  readonly without?: RegExp;
  readonly still?: boolean;
}

/** One way to draw the scene; `still` where the model no longer has the scene's joints. */
function painter(
  { model, poses }: Scene,
  side: number,
  { without, still, ...options }: Variant,
): { draw(frame: number): Picture; close(): void; readonly samples: number[] } {
  const xml = without ? model.xml.replace(without, '') : model.xml;
  const source = xml === '' ? { xml: '<mujoco/>', files: new Map() } : { xml, files: model.files };
  const settings: RendererOptions = { width: side, height: side, coarse: true, ...options };
  const renderer = new Renderer(source, settings);
  const samples: number[] = [];
  const nothing: ScenePose = { qpos: new Float64Array(0) };
  return {
    samples,
    draw: (frame) => timed(samples, () => renderer.render(still ? nothing : poses[frame % poses.length]!)),
    close: () => renderer.close(),
  };
}

/** Deflate and PNG beside what the store does. */
function storing(scene: Scene, side: number): SceneTimings['kept'] {
  const renderer = new Renderer(scene.model, { width: side, height: side, coarse: true });
  const folder = mkdtempSync(join(tmpdir(), 'vernier-bench-frames-'));
  const store = FrameStore.open(folder);
  const ways: Record<string, (picture: Picture) => number> = {
    'the store': (picture) => {
      const before = store.bytes;
      store.put(makeFrame('front', picture));
      return store.bytes - before;
    },
    'Brotli, quality 1': ({ rgb }) =>
      brotliCompressSync(rgb, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }).length,
    'deflate, level 1': ({ rgb }) => deflateRawSync(rgb, { level: 1 }).length,
    PNG: (picture) => encodePng(picture).length,
  };
  const samples = Object.fromEntries(Object.keys(ways).map((name) => [name, [] as number[]]));
  const bytes: Record<string, number> = {};
  for (const pose of scene.poses) {
    const picture = renderer.render(pose);
    for (const [name, keep] of Object.entries(ways))
      bytes[name] = (bytes[name] ?? 0) + timed(samples[name]!, () => keep(picture)) / scene.poses.length;
  }
  store.close();
  renderer.close();
  rmSync(folder, { recursive: true });
  return Object.fromEntries(
    Object.entries(samples).map(([name, taken]) => [
      name,
      { ms: timing(taken).median, bytes: Math.round(bytes[name]!) },
    ]),
  );
}

function measure(scene: Scene, side: number): SceneTimings {
  const plain = painter(scene, side, {});
  const others = Object.entries(all ? variants : {}).map(
    ([name, variant]) => [name, painter(scene, side, variant)] as const,
  );
  const hashing: number[] = [];
  for (let frame = -5; frame < Number(rounds); frame++) {
    const picture = plain.draw(frame + 5);
    timed(hashing, () => pictureHash(picture));
    for (const [, other] of others) other.draw(frame + 5);
    if (frame >= 0) continue;
    for (const { samples } of [plain, ...others.map(([, other]) => other)]) samples.length = 0;
    hashing.length = 0;
  }
  plain.close();
  for (const [, other] of others) other.close();
  return {
    scene: scene.name,
    side,
    frame: timing(plain.samples),
    variants: Object.fromEntries(others.map(([name, { samples }]) => [name, timing(samples).median])),
    hash: timing(hashing).median,
    kept: all ? storing(scene, side) : {},
  };
}

const results: SceneTimings[] = [];
for (const scene of await scenes())
  for (const side of sides.split(',').map(Number)) results.push(measure(scene, side));
process.stdout.write(JSON.stringify(results));
