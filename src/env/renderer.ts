import { nearestName, VernierError } from '#core/errors';
import type { FreeCamera, Picture } from '#core/frame';
import type { ModelSource } from '#core/model';
import { requireAddon } from '#native/addon';

/** Pictures of a MuJoCo scene, drawn without a display: EGL's surfaceless Mesa, one context per renderer. */

export interface RendererOptions {
  /** Pixels of a picture; of the largest one, where `draw` is told others. */
  readonly width: number;
  readonly height: number;
  /** A camera of the model by name, or a free one; when left out the model's `overview`, else the whole model. */
  readonly camera?: string | FreeCamera;
  /** Shadows and reflections; several times slower on a software driver. */
  readonly shadows?: boolean;
  /** Samples per pixel of antialiasing: 0, 2, 4 ... */
  readonly samples?: number;
  /** Round bodies of fewer faces: what small pictures can show, in half the time on a software driver. */
  readonly coarse?: boolean;
}

/** What moves in the scene; a part left out stays as it was last.
 * @shape qpos [Q]; mocapPos [M,3]; mocapQuat [M,4]; bodyPos [bodies,3] and bodyQuat [bodies,4], in the parents' frames */
export interface ScenePose {
  readonly qpos: Float64Array;
  readonly mocapPos?: Float64Array;
  readonly mocapQuat?: Float64Array;
  readonly bodyPos?: Float64Array;
  readonly bodyQuat?: Float64Array;
}

interface NativeRenderer {
  cameras(): string[];
  useFixedCamera(name: string): void;
  useFreeCamera(...lookatDistanceAzimuthElevation: number[]): void;
  place(pose: ScenePose): void;
  draw(width: number, height: number, outRgb: Uint8Array): void;
  close(): void;
}
type NativeRendererClass = new (
  model: { xml: string; files: Readonly<Record<string, Uint8Array>> },
  options: { width: number; height: number; shadows: boolean; samples: number; coarse: boolean },
) => NativeRenderer;

export class Renderer {
  readonly width: number;
  readonly height: number;
  /** Names of the model's cameras. */
  readonly cameras: readonly string[];
  readonly #native: NativeRenderer;

  /** @throws BACKEND without the addon, libEGL or a driver; SPEC for a camera the model does not have */
  constructor(source: Pick<ModelSource, 'xml' | 'files'>, options: RendererOptions) {
    const { width, height, camera, shadows = false, samples = 0, coarse = false } = options;
    const SceneRenderer = requireAddon().SceneRenderer as NativeRendererClass | undefined;
    if (!SceneRenderer) {
      throw new VernierError('BACKEND', 'the native addon was built without MuJoCo, so it cannot render', {
        hint: 'vernier doctor says what is missing',
      });
    }
    this.width = width;
    this.height = height;
    const model = { xml: source.xml, files: Object.fromEntries(source.files) };
    this.#native = translate(() => new SceneRenderer(model, { width, height, shadows, samples, coarse }));
    this.cameras = this.#native.cameras();
    const chosen = camera ?? this.cameras.find((name) => name === 'overview');
    if (chosen !== undefined) this.look(chosen);
  }

  /** @throws SPEC for a camera the model does not have */
  look(camera: string | FreeCamera): void {
    if (typeof camera !== 'string') {
      const { lookat, distance, azimuthDeg, elevationDeg } = camera;
      translate(() => this.#native.useFreeCamera(...lookat, distance, azimuthDeg, elevationDeg));
      return;
    }
    if (!this.cameras.includes(camera)) {
      const near = nearestName(camera, this.cameras);
      throw new VernierError('SPEC', `the model has no camera '${camera}'`, {
        hint: near ? `did you mean ${near}?` : `it has ${this.cameras.join(', ') || 'none'}`,
      });
    }
    translate(() => this.#native.useFixedCamera(camera));
  }

  /** Moves the scene. @throws SHAPE for a pose of another model */
  place(pose: ScenePose): void {
    translate(() => this.#native.place(pose));
  }

  /** The scene as it was placed last, from where the camera was put last.
   * @throws SHAPE for sides above those the renderer was made with */
  draw(width = this.width, height = this.height): Picture {
    const rgb = new Uint8Array(3 * width * height);
    translate(() => this.#native.draw(width, height, rgb));
    return { width, height, rgb };
  }

  render(pose: ScenePose): Picture {
    this.place(pose);
    return this.draw();
  }

  close(): void {
    this.#native.close();
  }
}

/** Native errors as the stack's own, with the hint that only this side knows. */
function translate<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    const { code, message } = error as VernierError;
    throw new VernierError(code, message, {
      cause: error,
      ...(code === 'BACKEND'
        ? { hint: 'install Mesa: apt-get install -y libegl1 libgl1-mesa-dri (Debian, Ubuntu)' }
        : {}),
    });
  }
}
