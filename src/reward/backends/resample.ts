import type { Picture } from '#core/frame';

/** Pictures at other sizes with the pixels that Pillow would give: models were trained on those, and libraries that resize in
 * another way differ by up to half the range at edges. */

export type Filter = 'nearest' | 'box' | 'bilinear' | 'hamming' | 'bicubic' | 'lanczos';

/** Bits behind the point of Pillow's weights for 8-bit channels. */
const PRECISION = 2 ** 22;

interface Kernel {
  /** Half its width, in pixels of the result or of the source, whichever are larger. */
  readonly support: number;
  at(x: number): number;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

const kernels: Readonly<Record<Exclude<Filter, 'nearest'>, Kernel>> = {
  box: { support: 0.5, at: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: {
    support: 1,
    at: (x) => (Math.abs(x) >= 1 ? 0 : sinc(x) * (0.54 + 0.46 * Math.cos(Math.PI * x))),
  },
  bicubic: { support: 2, at: (x) => cubic(Math.abs(x)) },
  lanczos: { support: 3, at: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Keys' cubic with a = -1/2, at x >= 0. */
function cubic(x: number): number {
  const a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/** The whole picture at another size, antialiased where it shrinks; rows are resampled first, and rounded to bytes between.
 * @source Pillow, `Image.resize` (Resample.c); differs: none, bit for bit */
export function resample(picture: Picture, width: number, height: number, filter: Filter): Picture {
  const { width: W, height: H } = picture;
  if (filter === 'nearest') return nearest(picture, width, height);
  const kernel = kernels[filter];
  const across = W === width ? picture.rgb : alongRows(picture, weights(kernel, W, width));
  const rgb = H === height ? across : alongColumns(across, width, weights(kernel, H, height));
  return { width, height, rgb };
}

/** Of one pixel of the result: from which of the source on, and the weight of each. */
interface Weights {
  readonly first: number;
  readonly values: Float64Array;
}

function weights({ support, at }: Kernel, from: number, to: number): Weights[] {
  const scale = from / to;
  const stretch = Math.max(1, scale);
  const reach = support * stretch;
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(from, Math.trunc(centre + reach + 0.5));
    const values = Float64Array.from({ length: end - first }, (__, k) =>
      at((k + first - centre + 0.5) / stretch),
    );
    const sum = values.reduce((total, w) => total + w, 0);
    const fixed = values.map((w) => {
      const exact = (w / sum) * PRECISION;
      return Math.trunc(exact < 0 ? exact - 0.5 : exact + 0.5);
    });
    return { first, values: fixed };
  });
}

const toByte = (sum: number): number =>
  Math.max(0, Math.min(255, Math.floor((sum + PRECISION / 2) / PRECISION)));

function alongRows({ width: W, height: H, rgb }: Picture, columns: readonly Weights[]): Uint8Array {
  const out = new Uint8Array(3 * columns.length * H);
  for (let y = 0, to = 0; y < H; y++) {
    for (const { first, values } of columns) {
      for (let c = 0; c < 3; c++, to++) {
        let sum = 0;
        for (let k = 0, at = 3 * (y * W + first) + c; k < values.length; k++, at += 3)
          sum += rgb[at]! * values[k]!;
        out[to] = toByte(sum);
      }
    }
  }
  return out;
}

function alongColumns(rgb: Uint8Array, width: number, rows: readonly Weights[]): Uint8Array {
  const stride = 3 * width;
  const out = new Uint8Array(stride * rows.length);
  for (const [y, { first, values }] of rows.entries()) {
    for (let x = 0; x < stride; x++) {
      let sum = 0;
      for (let k = 0, at = first * stride + x; k < values.length; k++, at += stride)
        sum += rgb[at]! * values[k]!;
      out[y * stride + x] = toByte(sum);
    }
  }
  return out;
}

function nearest({ width: W, height: H, rgb }: Picture, width: number, height: number): Picture {
  const out = new Uint8Array(3 * width * height);
  for (let y = 0, to = 0; y < height; y++) {
    const row = Math.trunc((y + 0.5) * (H / height));
    for (let x = 0; x < width; x++, to += 3) {
      const at = 3 * (row * W + Math.trunc((x + 0.5) * (W / width)));
      out.set(rgb.subarray(at, at + 3), to);
    }
  }
  return { width, height, rgb: out };
}
