import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PNG } from 'pngjs';
import { afterAll, describe, expect, it } from 'vitest';
import { Renderer } from '#env/renderer';
import { type Actor, type PlayedEnv, recordEpisode, saveEpisode } from '#view/episodes';
import { renderingMissing } from '../env/rendering.js';

/** A slider that goes where its action says; reaching 1 ends the episode with success. */
function slidingEnv(horizon: number, faultAt = Number.POSITIVE_INFINITY) {
  const resets: unknown[] = [];
  let [position, steps] = [0, 0];
  const env: PlayedEnv = {
    B: 1,
    horizon,
    observation: new Float32Array(1),
    action: new Float32Array(1),
    terminated: new Uint8Array(1),
    truncated: new Uint8Array(1),
    success: new Uint8Array(1),
    faults: [],
    reset(options) {
      resets.push(options);
      [position, steps] = [-1, 0];
      env.observation[0] = position;
      env.terminated[0] = env.truncated[0] = env.success[0] = 0;
    },
    step() {
      steps++;
      position += env.action[0]!;
      env.observation[0] = position;
      env.success[0] = env.terminated[0] = position >= 1 ? 1 : 0;
      env.truncated[0] = steps >= horizon ? 1 : 0;
      if (steps === faultAt)
        Object.assign(env, { faults: [{ environment: 0, episode: 0, step: steps, cause: 'NaN' }] });
    },
    readCopy: () => ({
      qpos: Float64Array.of(position),
      qvel: new Float64Array(1),
      time: 0,
      mocapPos: new Float64Array(0),
      mocapQuat: new Float64Array(0),
      bodyPos: new Float64Array(6),
      bodyQuat: Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0),
    }),
  };
  return { env, resets };
}
const constantly = (value: number): Actor => ({
  reset: () => {},
  act: (_, outAction) => void outAction.fill(value),
});
const id = { seed: 7, environment: 5, episode: 3 };

describe('a recorded episode', () => {
  it('starts where the id says, and holds the scene after every step up to the last', async () => {
    const { env, resets } = slidingEnv(100);
    const recorded = await recordEpisode(env, constantly(0.5), id);
    expect(resets).toEqual([{ seed: 7, firstEnvironment: 5, episode: 3 }]);
    expect(recorded).toMatchObject({ ...id, success: true });
    expect(recorded.poses.map(({ qpos }) => qpos[0])).toEqual([-1, -0.5, 0, 0.5, 1]);
  });

  it('ends at the horizon without success', async () => {
    const recorded = await recordEpisode(slidingEnv(3).env, constantly(0), id);
    expect(recorded.success).toBe(false);
    expect(recorded.poses).toHaveLength(4);
  });

  it('waits for a policy that answers later', async () => {
    const slow: Actor = {
      reset: () => {},
      act: async (_, outAction) => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        outAction.fill(2);
      },
    };
    expect((await recordEpisode(slidingEnv(100).env, slow, id)).poses).toHaveLength(2);
  });

  it('says so when the simulation breaks off', async () => {
    await expect(recordEpisode(slidingEnv(100, 2).env, constantly(0), id)).rejects.toMatchObject({
      code: 'PHYSICS',
      message: expect.stringContaining('NaN'),
    });
  });
});

describe.skipIf(renderingMissing)(
  `pictures of an episode${renderingMissing ? ` (skipped: ${renderingMissing})` : ''}`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'vernier-episodes-'));
    afterAll(() => rmSync(folder, { recursive: true }));

    it('show it from its first moment to its last', async () => {
      const model = {
        xml: `<mujoco>
        <visual><headlight ambient="1 1 1" diffuse="0 0 0" specular="0 0 0"/></visual>
        <worldbody>
          <camera name="overview" pos="0 0 4" fovy="60"/>
          <body><joint type="slide" axis="1 0 0"/><geom type="sphere" size=".2" rgba="1 0 0 1"/></body>
        </worldbody>
      </mujoco>`,
        files: new Map(),
      };
      const renderer = new Renderer(model, { width: 90, height: 60 });
      const episode = await recordEpisode(slidingEnv(100).env, constantly(0.5), id);
      const files = await saveEpisode(join(folder, 'new'), 'slide', renderer, episode, {
        frames: 3,
        framesPerSecond: 20,
      });
      renderer.close();
      expect(files[0]).toBe(join(folder, 'new', 'slide.png'));
      const png = PNG.sync.read(readFileSync(files[0]!));
      expect([png.width, png.height]).toEqual([278, 60]);
      const redOf = (frame: number): number => {
        let [sum, count] = [0, 0];
        for (let i = 0; i < 60 * 90; i++) {
          const [x, y] = [i % 90, Math.floor(i / 90)];
          const at = 4 * (278 * y + 94 * frame + x);
          if (png.data[at]! < 200 || png.data[at + 1]! > 60) continue;
          sum += x;
          count++;
        }
        return sum / count;
      };
      expect([0, 1, 2].map(redOf)).toEqual([
        expect.closeTo(31.5, -1),
        expect.closeTo(44.5, 0),
        expect.closeTo(57.5, -1),
      ]);
      expect(redOf(0)).toBeLessThan(redOf(1) - 8);
      expect(redOf(2)).toBeGreaterThan(redOf(1) + 8);
    });

    it('name the path that cannot be written', async () => {
      const { env } = slidingEnv(2);
      const episode = await recordEpisode(env, constantly(0), id);
      const renderer = new Renderer(
        {
          xml: '<mujoco><worldbody><body><joint type="slide"/><geom size="1"/></body></worldbody></mujoco>',
          files: new Map(),
        },
        { width: 8, height: 8 },
      );
      await expect(
        saveEpisode('/dev/null/x', 'a', renderer, episode, { framesPerSecond: 20 }),
      ).rejects.toMatchObject({
        code: 'IO',
        message: expect.stringContaining('/dev/null/x'),
      });
      renderer.close();
    });
  },
);
