import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { pictureHash } from '#core/frame';
import { Renderer } from '#env/renderer';
import { type CameraTask, chooseCameras, TaskCameras } from '#env/taskCameras';
import { addonStatus } from '#native/addon';
import { renderingMissing } from './rendering.js';

const model = {
  xml: `<mujoco>
    <visual><headlight ambient="1 1 1" diffuse="0 0 0" specular="0 0 0"/></visual>
    <worldbody>
      <camera name="above" pos="0 0 4"/>
      <body><joint type="slide" axis="1 0 0"/><geom type="box" size=".4 .2 .2" rgba="1 0 0 1"/></body>
    </worldbody>
  </mujoco>`,
  files: new Map<string, Uint8Array>(),
};
const task: CameraTask = {
  model,
  cameras: [
    { name: 'wide', width: 96, height: 32, view: 'above' },
    {
      name: 'tall',
      width: 24,
      height: 64,
      view: { lookat: [0, 0, 0], distance: 3, azimuthDeg: 90, elevationDeg: -30 },
    },
  ],
};
const at = (x: number) => ({ qpos: Float64Array.of(x) });

const here = dirname(fileURLToPath(import.meta.url));
const cameras = 'cameras={overview: {width: 64, height: 48}, side: {width: 40, height: 40}}';

/** What drawing.ts prints, in an environment of its own. */
async function drawInProcess(environment: NodeJS.ProcessEnv = {}): Promise<Record<string, unknown>> {
  const args = ['--conditions=vernier-src', '--import', join(here, '..', 'tools', 'typescript.mjs')];
  const child = spawn(process.execPath, [...args, join(here, 'drawing.ts'), 'lift', cameras], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, errors] = ['', ''];
  child.stdout.on('data', (text) => {
    out += text;
  });
  child.stderr.on('data', (text) => {
    errors += text;
  });
  const status = await new Promise((resolve) => child.once('close', resolve));
  expect(errors).toBe('');
  expect(status).toBe(0);
  return JSON.parse(out) as Record<string, unknown>;
}

it('a picture is known by its size and its pixels', () => {
  const rgb = Uint8Array.from({ length: 18 }, (_, i) => i);
  const bytes = Uint8Array.of(3, 0, 0, 0, 2, 0, 0, 0, ...rgb);
  expect(pictureHash({ width: 3, height: 2, rgb })).toBe(createHash('sha256').update(bytes).digest('hex'));
  expect(pictureHash({ width: 2, height: 3, rgb })).not.toBe(pictureHash({ width: 3, height: 2, rgb }));
});

describe('the cameras wanted', () => {
  it('are all, or those named in the order they are named', () => {
    expect(chooseCameras(task.cameras)).toEqual(task.cameras);
    expect(chooseCameras(task.cameras, ['tall', 'wide']).map(({ name }) => name)).toEqual(['tall', 'wide']);
  });

  it('have to be the task’s', () => {
    const refusal = (message: string, hint: string) =>
      expect.objectContaining({
        code: 'SPEC',
        message: expect.stringContaining(message),
        hint: expect.stringContaining(hint),
      });
    expect(() => chooseCameras(task.cameras, ['wdie'])).toThrow(refusal("'wdie'", 'wide'));
    expect(() => chooseCameras(task.cameras, ['behind'])).toThrow(refusal("'behind'", 'it has wide, tall'));
    expect(() => chooseCameras([])).toThrow(refusal('no cameras', 'cameras:'));
    expect(() => chooseCameras(task.cameras, [])).toThrow(expect.objectContaining({ code: 'SPEC' }));
  });
});

describe.skipIf(renderingMissing)(
  `task cameras${renderingMissing ? ` (skipped: ${renderingMissing})` : ''}`,
  () => {
    it('draw what renderers of their size and view draw, all of one pose', () => {
      const drawn = TaskCameras.open(task);
      for (const x of [0, 0.3]) {
        const { views } = drawn.draw(at(x));
        expect(views.map(({ camera }) => camera)).toEqual(['wide', 'tall']);
        for (const [i, { width, height, view }] of task.cameras.entries()) {
          const single = new Renderer(model, { width, height, camera: view, coarse: true });
          const picture = single.render(at(x));
          single.close();
          expect(views[i]).toMatchObject({ width, height, hash: pictureHash(picture) });
          expect(Buffer.compare(views[i]!.rgb, picture.rgb)).toBe(0);
        }
      }
      drawn.close();
    });

    it('give the same hash for the same pose, another for another', () => {
      const drawn = TaskCameras.open(task, ['tall']);
      const [first, second, again] = [0, 0.3, 0].map((x) => drawn.draw(at(x)).views[0]!);
      drawn.close();
      expect(again!.hash).toBe(first!.hash);
      expect(second!.hash).not.toBe(first!.hash);
    });

    it('draw the same bytes in workers as on the main thread', async () => {
      const { main, workers } = await drawInProcess();
      expect(new Set(main as string[]).size).toBe(8);
      expect(workers).toEqual([main, main]);
    }, 180_000);
  },
);

describe.skipIf(!addonStatus().addon?.SceneRenderer)('without what rendering needs', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vernier-no-egl-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const refusal = {
    code: 'BACKEND',
    message: expect.stringMatching(/^cannot render offscreen: [^\n]+$/),
    hint: expect.stringContaining('apt-get install -y libegl1 libgl1-mesa-dri'),
    horizon: 100, // the task itself loads
  };

  it('libEGL, one line says what to install', async () => {
    writeFileSync(join(folder, 'libEGL.so.1'), '');
    const said = await drawInProcess({ LD_LIBRARY_PATH: folder });
    expect(said).toMatchObject(refusal);
    expect(said.message).toContain('libEGL.so.1');
  }, 180_000);

  it('a driver, one line says what to install', async () => {
    const said = await drawInProcess({ __EGL_VENDOR_LIBRARY_DIRS: folder });
    expect(said).toMatchObject(refusal);
  }, 180_000);
});
