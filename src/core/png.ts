import { PNG } from 'pngjs';
import type { Picture } from '#core/frame';

export function encodePng({ width, height, rgb }: Picture): Uint8Array {
  const png = new PNG({ width, height, colorType: 2 });
  for (let pixel = 0; pixel < width * height; pixel++) {
    png.data.set(rgb.subarray(3 * pixel, 3 * pixel + 3), 4 * pixel);
    png.data[4 * pixel + 3] = 255;
  }
  return PNG.sync.write(png, { colorType: 2 });
}
