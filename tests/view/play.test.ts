import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PNG } from 'pngjs';
import { afterAll, describe, expect, it } from 'vitest';
import { Expert } from '#env/expert';
import type { VectorEnv } from '#env/vectorEnv';
import { loadTask } from '#spec/task';
import type { Actor } from '#view/episodes';
import { type PlayedEpisode, type PlayOptions, parseCamera, playEpisodes, taskView } from '#view/play';
import { renderingMissing } from '../env/rendering.js';

const task = await loadTask('tasks/peg_insertion.yaml');

let closed = 0;
async function expert(env: VectorEnv): Promise<Actor> {
  const waypoints = new Expert(task, env, 1, { noise: 0 });
  return {
    reset: () => waypoints.reset(),
    act: (_, outAction) => waypoints.act(outAction),
    close: () => void closed++,
  };
}

async function play(options: Partial<PlayOptions>): Promise<PlayedEpisode[]> {
  const played: PlayedEpisode[] = [];
  const whole: PlayOptions = {
    task,
    makeActor: expert,
    seed: 1,
    episodes: [
      { environment: 0, episode: 1 },
      { environment: 4, episode: 0 },
    ],
    ...options,
  };
  for await (const episode of playEpisodes(whole)) played.push(episode);
  return played;
}

describe('play', () => {
  it('runs the chosen episodes, the same whichever others are played', async () => {
    const both = await play({});
    expect(both).toMatchObject([
      { environment: 0, episode: 1, files: [] },
      { environment: 4, episode: 0, files: [] },
    ]);
    for (const { steps } of both) expect(steps).toBeGreaterThan(3);
    expect(await play({ episodes: [{ environment: 4, episode: 0 }] })).toEqual([both[1]]);
    expect(closed).toBe(2);
  });

  it('reads a camera by name or by numbers', () => {
    expect(parseCamera('side')).toBe('side');
    expect(parseCamera('0.5,0,-0.1,1.2,145,-20')).toEqual({
      lookat: [0.5, 0, -0.1],
      distance: 1.2,
      azimuthDeg: 145,
      elevationDeg: -20,
    });
    const camera = { name: 'front', width: 64, height: 64, view: 'overview' };
    expect(taskView({ cameras: [camera] }, 'front')).toBe('overview');
    expect(taskView({ cameras: [camera] }, 'side')).toBe('side');
    for (const wrong of ['1,2,3', '0,0,0,1,2,north']) {
      expect(() => parseCamera(wrong)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    }
  });
});

describe.skipIf(renderingMissing)(
  `play with pictures${renderingMissing ? ` (skipped: ${renderingMissing})` : ''}`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'vernier-play-'));
    afterAll(() => rmSync(folder, { recursive: true }));

    it('draws several cameras side by side', async () => {
      const [episode] = await play({
        directory: join(folder, 'two'),
        episodes: [{ environment: 0, episode: 1 }],
        picture: { width: 60, height: 50, cameras: ['overview', 'side'] },
        save: { frames: 1, stripOnly: true },
      });
      const { width, height } = PNG.sync.read(readFileSync(episode!.files[0]!));
      expect([width, height]).toEqual([124, 50]);
    });

    it('draws the scene as it was randomised: the hole is elsewhere in another episode', async () => {
      const options = {
        directory: folder,
        picture: { width: 120, height: 90, cameras: [parseCamera('0.5,0,0.03,0.6,180,-25')] },
        save: { frames: 1, stripOnly: true },
        makeActor: () => ({ reset: () => {}, act: (_: Float32Array, out: Float32Array) => void out.fill(0) }),
      };
      const [first, second] = await play(options);
      const blueCentre = ({ files }: PlayedEpisode): [number, number] => {
        const { data, width } = PNG.sync.read(readFileSync(files[0]!));
        let [x, y, count] = [0, 0, 0];
        for (let i = 0; i < data.length / 4; i++) {
          if (data[4 * i + 2]! < 2 * data[4 * i]!) continue;
          x += i % width;
          y += Math.floor(i / width);
          count++;
        }
        expect(count).toBeGreaterThan(50);
        return [x / count, y / count];
      };
      const [a, b] = [blueCentre(first!), blueCentre(second!)];
      expect(Math.hypot(a[0] - b[0], a[1] - b[1])).toBeGreaterThan(3);
    });
  },
);
