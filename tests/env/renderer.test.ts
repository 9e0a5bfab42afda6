import { describe, expect, it } from 'vitest';
import type { Picture } from '#core/frame';
import { Renderer, type RendererOptions } from '#env/renderer';
import { renderingMissing } from './rendering.js';

/** A red box on a slide along y, a green box fixed at x = 1, a blue mocap box, before a black void. */
const model = {
  xml: `<mujoco>
    <visual><headlight ambient="1 1 1" diffuse="0 0 0" specular="0 0 0"/></visual>
    <worldbody>
      <camera name="above" pos="0 0 4" fovy="60"/>
      <body name="slider"><joint type="slide" axis="0 1 0"/><geom type="box" size=".2 .2 .2" rgba="1 0 0 1"/></body>
      <body name="fixed" pos="1 0 0"><geom type="box" size=".2 .2 .2" rgba="0 1 0 1"/></body>
      <body name="hand" mocap="true" pos="-1 0 0"><geom type="box" size=".2 .2 .2" rgba="0 0 1 1"/></body>
    </worldbody>
  </mujoco>`,
  files: new Map(),
};
const options: RendererOptions = { width: 160, height: 120, camera: 'above' };

/** Mean column and row of the pixels of one pure colour, and how many there are. */
function centre({ width, rgb }: Picture, channel: 0 | 1 | 2): { x: number; y: number; count: number } {
  let [x, y, count] = [0, 0, 0];
  for (let pixel = 0; pixel < rgb.length / 3; pixel++) {
    const isColour = [0, 1, 2].every((c) => rgb[3 * pixel + c]! > 200 === (c === channel));
    if (!isColour) continue;
    x += pixel % width;
    y += Math.floor(pixel / width);
    count++;
  }
  return { x: x / count, y: y / count, count };
}

describe.skipIf(renderingMissing)(
  `renderer${renderingMissing ? ` (skipped: ${renderingMissing})` : ''}`,
  () => {
    it('draws every kind of pose where it is, the first row on top', () => {
      const renderer = new Renderer(model, options);
      const still = renderer.render({ qpos: new Float64Array([0.5]) });
      const red = centre(still, 0);
      expect(red.count).toBeGreaterThan(100);
      expect(red.x).toBeCloseTo(79.5, 0);
      expect(red.y).toBeLessThan(50);
      expect(centre(still, 1)).toMatchObject({ y: expect.closeTo(59.5, 0) });
      expect(centre(still, 1).x).toBeGreaterThan(95);
      expect(centre(still, 2).x).toBeLessThan(64);

      const moved = renderer.render({
        qpos: new Float64Array([-0.5]),
        mocapPos: new Float64Array([-1, 0.5, 0]),
        bodyPos: new Float64Array([0, 0, 0, 0, 0, 0, 1, -0.5, 0, 0, 0, 0]),
        bodyQuat: new Float64Array([1, 0, 0, 0, 1, 0, 0, 0, Math.SQRT1_2, 0, 0, Math.SQRT1_2, 1, 0, 0, 0]),
      });
      expect(centre(moved, 0).y).toBeGreaterThan(70);
      expect(centre(moved, 1).y).toBeGreaterThan(70);
      expect(centre(moved, 2).y).toBeLessThan(50);
      renderer.close();
    });

    it('draws the same bytes for the same pose, in two renderers side by side', () => {
      const qpos = new Float64Array([0.1]);
      const first = new Renderer(model, options);
      const second = new Renderer(model, options);
      second.render({ qpos: new Float64Array([0.9]) });
      expect(second.render({ qpos }).rgb).toEqual(first.render({ qpos }).rgb);
      first.close();
      expect(() => second.render({ qpos })).not.toThrow();
      second.close();
    });

    it('looks from a free camera', () => {
      const renderer = new Renderer(model, options);
      renderer.look({ lookat: [1, 0, 0], distance: 3, azimuthDeg: 90, elevationDeg: -90 });
      const green = centre(renderer.render({ qpos: new Float64Array([0]) }), 1);
      expect(green.x).toBeCloseTo(79.5, 0);
      expect(green.y).toBeCloseTo(59.5, 0);
      renderer.close();
    });

    it('says what is wrong with a camera, a pose, a size, a model, and refuses once closed', () => {
      const code = (expected: string, text: string) =>
        expect.objectContaining({
          name: 'VernierError',
          code: expected,
          message: expect.stringContaining(text),
        });
      expect(() => new Renderer(model, { ...options, camera: 'below' })).toThrow(
        code('SPEC', "camera 'below'"),
      );
      expect(() => new Renderer(model, { ...options, width: 0 })).toThrow(code('SHAPE', '0 x 120'));
      expect(() => new Renderer({ xml: '<mujoco><nonsense/></mujoco>', files: new Map() }, options)).toThrow(
        code('PHYSICS', 'nonsense'),
      );
      const renderer = new Renderer(model, options);
      expect(() => renderer.render({ qpos: new Float64Array(2) })).toThrow(code('SHAPE', 'qpos has 2'));
      renderer.close();
      renderer.close();
      expect(() => renderer.render({ qpos: new Float64Array(1) })).toThrow(code('STATE', 'closed'));
    });
  },
);
