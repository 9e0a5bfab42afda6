import { nearestName, VernierError } from '#core/errors';
import { type Frame, type Moment, makeFrame } from '#core/frame';
import type { ModelSource } from '#core/model';
import { Renderer, type ScenePose } from '#env/renderer';
import type { ResolvedCamera } from '#spec/resolved';

/** What of a task its cameras need. Plain data: a worker is sent it as it is. */
export interface CameraTask {
  readonly model: Pick<ModelSource, 'xml' | 'files'>;
  readonly cameras: readonly ResolvedCamera[];
}

/** The cameras of a task over one renderer: several pictures of one pose, each with its hash. A renderer and its OpenGL
 * context belong to the thread that opened them; every worker opens its own and draws the same bytes. */
export class TaskCameras {
  /** In the order of the views of a moment. */
  readonly cameras: readonly ResolvedCamera[];
  readonly #renderer: Renderer;

  private constructor(cameras: readonly ResolvedCamera[], renderer: Renderer) {
    this.cameras = cameras;
    this.#renderer = renderer;
  }

  /** @param names of the task's cameras, in the order wanted; all of them when left out
   * @throws SPEC for a camera the task does not have, or a task without any; BACKEND without the addon, libEGL or a driver */
  static open({ model, cameras }: CameraTask, names?: readonly string[]): TaskCameras {
    const chosen = chooseCameras(cameras, names);
    const renderer = new Renderer(model, {
      width: Math.max(...chosen.map(({ width }) => width)),
      height: Math.max(...chosen.map(({ height }) => height)),
      coarse: true,
    });
    return new TaskCameras(chosen, renderer);
  }

  /** @throws SHAPE for a pose of another model */
  draw(pose: ScenePose): Moment {
    this.#renderer.place(pose);
    const views = this.cameras.map(({ name, width, height, view }): Frame => {
      this.#renderer.look(view);
      return makeFrame(name, this.#renderer.draw(width, height));
    });
    return { views };
  }

  close(): void {
    this.#renderer.close();
  }
}

/** The cameras of these names, in their order; all where there are none given. @throws SPEC */
export function chooseCameras(
  cameras: readonly ResolvedCamera[],
  names: readonly string[] = cameras.map(({ name }) => name),
): readonly ResolvedCamera[] {
  if (cameras.length === 0) {
    throw new VernierError('SPEC', 'the task has no cameras', {
      hint: 'give it some: `cameras: {front: {width: 128, height: 128, of: overview}}`',
    });
  }
  if (names.length === 0) throw new VernierError('SPEC', 'expected at least one camera');
  return names.map((name) => {
    const camera = cameras.find((candidate) => candidate.name === name);
    if (camera) return camera;
    const all = cameras.map((candidate) => candidate.name);
    const near = nearestName(name, all);
    throw new VernierError('SPEC', `the task has no camera '${name}'`, {
      hint: near === undefined ? `it has ${all.join(', ')}` : `did you mean ${near}?`,
    });
  });
}
