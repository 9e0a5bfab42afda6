import { makeFrame } from '#core/frame';
import { FrameStore } from '#data/frameStore';

/* Puts frames of noise into a store until it is killed or a frame cannot be written; says the hash of each, then the error.
 * Usage: frameWriter.ts FOLDER */

const store = FrameStore.open(process.argv[2]!);
const [width, height] = [32, 24];
let state = 1;
const noise = (): number => {
  state = (state * 1664525 + 1013904223) >>> 0;
  return state >>> 24;
};

/** One at a time, so that what is said gets out between them. */
function put(): void {
  const rgb = Uint8Array.from({ length: 3 * width * height }, noise);
  const frame = makeFrame('front', { width, height, rgb });
  try {
    store.put(frame);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    process.stdout.write(`${code} ${message}\n`);
    store.close();
    return;
  }
  process.stdout.write(`${frame.hash}\n`, () => setImmediate(put));
}
put();
