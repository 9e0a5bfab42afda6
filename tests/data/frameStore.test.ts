import { spawn } from 'node:child_process';
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { type Frame, makeFrame } from '#core/frame';
import { FrameStore } from '#data/frameStore';

const root = mkdtempSync(join(tmpdir(), 'vernier-frames-'));
afterAll(() => rmSync(root, { recursive: true }));
let count = 0;
const folder = () => join(root, String(count++));

/** A picture that is another for another number. */
function frame(number: number, width = 20, height = 10): Frame {
  const rgb = Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * number) >> 3);
  new DataView(rgb.buffer).setUint32(0, number);
  return makeFrame(number % 2 === 0 ? 'front' : 'side', { width, height, rgb });
}
const frames = Array.from({ length: 6 }, (_, number) => frame(number, 20 + number));

function filled(path: string): FrameStore {
  const store = FrameStore.open(path);
  for (const each of frames) store.put(each);
  return store;
}

function expectWhole(store: FrameStore, expected: readonly Frame[]): void {
  expect(store.size).toBe(expected.length);
  for (const { hash, width, height, rgb } of expected)
    expect(store.get(hash)).toEqual({ width, height, rgb });
}

describe('a store of frames', () => {
  it('gives back what was put in, also when opened anew', () => {
    const path = folder();
    const store = filled(path);
    expectWhole(store, frames);
    store.close();
    const again = FrameStore.open(path);
    expect(again.cutBytes).toBe(0);
    expectWhole(again, frames);
    again.close();
  });

  it('keeps a picture once, whichever camera drew it', () => {
    const path = folder();
    const store = filled(path);
    const before = store.bytes;
    for (const each of frames) expect(store.put({ ...each, ...makeFrame('other', each) })).toBe(true);
    expect(store.bytes).toBe(before);
    store.close();
    const again = FrameStore.open(path);
    again.put(frames[0]!);
    again.close();
    expect(statSync(again.file).size).toBe(before);
  });

  it('has nothing under a hash it was not given', () => {
    const store = filled(folder());
    expect(store.has(frame(77).hash)).toBe(false);
    expect(store.get(frame(77).hash)).toBeUndefined();
    store.close();
  });

  it('loses the last picture only, wherever its bytes were torn off, and goes on', () => {
    const path = folder();
    const whole = filled(path);
    const end = whole.bytes;
    whole.close();
    const bytes = readFileSync(whole.file);
    const five = folder();
    const shorter = FrameStore.open(five);
    for (const each of frames.slice(0, 5)) shorter.put(each);
    const start = shorter.bytes;
    shorter.close();
    fc.assert(
      fc.property(fc.integer({ min: start + 1, max: end - 1 }), (length) => {
        writeFileSync(whole.file, bytes.subarray(0, length));
        const store = FrameStore.open(path);
        expect(store.cutBytes).toBe(length - start);
        expectWhole(store, frames.slice(0, 5));
        store.put(frames[5]!);
        store.close();
        expect(readFileSync(whole.file).equals(bytes)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it('cuts a last picture off whose length was written before its bytes were', () => {
    const path = folder();
    const store = filled(path);
    const end = store.bytes;
    store.close();
    truncateSync(store.file, end - 20);
    appendFileSync(store.file, Buffer.alloc(20));
    const again = FrameStore.open(path);
    expectWhole(again, frames.slice(0, 5));
    again.close();
  });

  it('begins anew where not even the beginning was written', () => {
    const path = folder();
    const store = filled(path);
    store.close();
    truncateSync(store.file, 3);
    const again = FrameStore.open(path);
    expect(again.size).toBe(0);
    again.put(frames[0]!);
    again.close();
    const third = FrameStore.open(path);
    expectWhole(third, frames.slice(0, 1));
    third.close();
  });

  it('does not give a damaged picture out, and takes it anew', () => {
    const path = folder();
    const store = filled(path);
    store.close();
    const bytes = readFileSync(store.file);
    const inside = Buffer.from(frames[2]!.hash, 'hex');
    bytes[bytes.indexOf(inside) + inside.length + 5]! ^= 0x55;
    writeFileSync(store.file, bytes);
    const again = FrameStore.open(path);
    expect(again.get(frames[2]!.hash)).toBeUndefined();
    expect(again.has(frames[2]!.hash)).toBe(false);
    expect(again.put(frames[2]!)).toBe(true);
    expectWhole(again, frames);
    again.close();
  });

  it('leaves out what does not fit any more, and counts it', () => {
    const path = folder();
    const store = filled(path);
    const { bytes } = store;
    store.close();
    const full = FrameStore.open(path, { maxBytes: bytes + 10 });
    expect(full.put(frame(9))).toBe(false);
    expect(full.leftOut).toBe(1);
    expect(full.put(frames[1]!)).toBe(true);
    expectWhole(full, frames);
    full.close();
    expect(statSync(full.file).size).toBe(bytes);
  });

  it('says what is wrong with a file, a folder, a picture, and a closed store', () => {
    const path = folder();
    const store = filled(path);
    expect(() => store.put({ ...frame(9), height: 11 })).toThrow(expect.objectContaining({ code: 'SHAPE' }));
    store.close();
    store.close();
    expect(() => store.put(frame(9))).toThrow(expect.objectContaining({ code: 'STATE' }));
    writeFileSync(store.file, 'something else altogether');
    expect(() => FrameStore.open(path)).toThrow(
      expect.objectContaining({ code: 'IO', message: expect.stringContaining('no file of frames') }),
    );
    expect(readFileSync(store.file, 'utf8')).toBe('something else altogether');
    expect(() => FrameStore.open('/dev/null/frames')).toThrow(
      expect.objectContaining({ code: 'IO', message: expect.stringContaining('/dev/null/frames') }),
    );
  });
});

/** Puts frames without end; the parent kills it. Its one argument limits the size of files, as a full disk would. */
function writer(path: string, shell: string): ReturnType<typeof spawn> {
  const here = dirname(fileURLToPath(import.meta.url));
  const node = `${process.execPath} --conditions=vernier-src --import ${join(here, '..', 'tools', 'typescript.mjs')}`;
  return spawn('bash', ['-c', `${shell} exec ${node} ${join(here, 'frameWriter.ts')} ${path}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

describe('a process that writes frames', () => {
  it('may be killed at any moment: what it said it had put is there', async () => {
    const path = folder();
    const child = writer(path, '');
    let said = '';
    child.stdout!.on('data', (text) => {
      said += text;
      if (said.length > 3000) child.kill('SIGKILL');
    });
    await new Promise((resolve) => child.once('close', resolve));
    const hashes = said.split('\n').filter((line) => line.length === 64);
    expect(hashes.length).toBeGreaterThan(20);
    const store = FrameStore.open(path);
    for (const hash of hashes) expect(store.get(hash)).toBeDefined();
    store.close();
  });

  it('is told when a file cannot grow; what was there before stays', async () => {
    const path = folder();
    const child = writer(path, 'ulimit -f 64; trap "" XFSZ;');
    let said = '';
    child.stdout!.on('data', (text) => {
      said += text;
    });
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
    const lines = said.trim().split('\n');
    expect(lines.at(-1)).toMatch(/^IO .*frames\.pack: EFBIG/);
    const store = FrameStore.open(path);
    expect(store.cutBytes).toBe(0);
    expect(store.size).toBe(lines.length - 1);
    for (const hash of lines.slice(0, -1)) expect(store.get(hash)).toBeDefined();
    store.close();
  });
});
