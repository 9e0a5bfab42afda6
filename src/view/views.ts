import type { FreeCamera, Picture } from '#core/frame';
import type { ModelSource } from '#core/model';
import { Renderer, type RendererOptions, type ScenePose } from '#env/renderer';
import { filmstrip } from '#view/frames';

/** Anything that makes a picture of a pose. */
export interface Painter {
  render(pose: ScenePose): Picture;
}

/** One pose from several places, side by side in one picture. */
export class Views implements Painter {
  readonly #renderer: Renderer;
  readonly #cameras: readonly (string | FreeCamera)[];

  /** @param cameras from left to right; the renderer's default where there are none
   * @throws as Renderer */
  constructor(
    model: Pick<ModelSource, 'xml' | 'files'>,
    { cameras = [], ...options }: Omit<RendererOptions, 'camera'> & { readonly cameras?: Views['cameras'] },
  ) {
    this.#renderer = new Renderer(model, options);
    this.#cameras = cameras;
    try {
      for (const camera of cameras) this.#renderer.look(camera);
    } catch (error) {
      this.#renderer.close();
      throw error;
    }
  }

  get cameras(): readonly (string | FreeCamera)[] {
    return this.#cameras;
  }

  render(pose: ScenePose): Picture {
    this.#renderer.place(pose);
    if (this.#cameras.length === 0) return this.#renderer.draw();
    return filmstrip(
      this.#cameras.map((camera) => {
        this.#renderer.look(camera);
        return this.#renderer.draw();
      }),
    );
  }

  close(): void {
    this.#renderer.close();
  }
}
