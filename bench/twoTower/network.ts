import type { PhiloxStream } from '#core/philox';
import * as nn from '#nn/graph';
import { filled, ones, orthogonal, zeros } from '#nn/initializers';
import { type Layer, linear } from '#nn/layers';

/** An image tower and a text tower that end in one space, small enough to travel with the sources. */

export const EMBEDDING = 64;
/** Tokens of a text, padded. */
export const CONTEXT = 16;
export const PAD = 0;

const CHANNELS = [32, 48, 64] as const;
const SPATIAL = 40;
const HIDDEN = 96;
const TEXT_WIDTH = 64;

export interface Towers {
  readonly block: nn.ParameterBlock;
  /** @shape pixels [B,64,64,3], normalised; embedding [B,64]; spatial [B,36,40]: a grid of 6 x 6 places, row by row */
  image(pixels: nn.Tensor): { readonly embedding: nn.Tensor; readonly spatial: nn.Tensor };
  /** @shape tokens [B,16] i32; result [B,64] */
  text(tokens: nn.Tensor): nn.Tensor;
  /** Logits of all pairs. @shape images, texts [B,64]; result [B,B] */
  logits(images: nn.Tensor, texts: nn.Tensor): nn.Tensor;
}

export function makeTowers(rng: PhiloxStream, words: number): Towers {
  const block = new nn.ParameterBlock('two_tower', { rng });
  const image = imageTower(block);
  const text = textTower(block, words);
  const scale = block.add('logit_scale', [1], filled(Math.log(10)));
  const bias = block.add('logit_bias', [1], filled(-4));
  return {
    block,
    image,
    text,
    logits: (images, texts) =>
      nn.add(nn.mul(nn.matmul(unit(images), unit(texts), { transposeB: true }), nn.exp(scale)), bias),
  };
}

function unit(x: nn.Tensor): nn.Tensor {
  return nn.mul(x, nn.rsqrt(nn.add(nn.sum(nn.square(x), -1, true), 1e-8)));
}

function normalised(block: nn.ParameterBlock, name: string, width: number): (x: nn.Tensor) => nn.Tensor {
  const gain = block.add(`${name}.gain`, [width], ones);
  const shift = block.add(`${name}.shift`, [width], zeros);
  return (x) => nn.layerNorm(x, gain, shift);
}

function dense(block: nn.ParameterBlock, name: string, from: number, to: number, gain = Math.SQRT2): Layer {
  return linear(block, name, { in: from, out: to, weight: orthogonal(gain), bias: zeros });
}

/** What a convolution of 4 x 4 pixels with a stride of 2 and no border sees in each place. Two neighbours in a row lie side
 * by side in memory, so rows only have to be cut apart. @shape x [B,2h,2w,C]; result [B,h-1,w-1,16C] */
function patches(x: nn.Tensor): nn.Tensor {
  const [B, H, W, C] = x.shape as [number, number, number, number];
  const [h, w] = [H / 2, W / 2];
  const rows = nn.reshape(x, [B, h, 2, w, 2 * C]);
  const piece = (row: number, parity: number, column: number): nn.Tensor => {
    const one = nn.reshape(nn.slice(rows, 2, parity, parity + 1), [B, h, w, 2 * C]);
    return nn.slice(nn.slice(one, 1, row, h - 1 + row), 2, column, w - 1 + column);
  };
  const all = [0, 1].flatMap((row) =>
    [0, 1].flatMap((parity) => [0, 1].map((column) => [row, parity, column] as const)),
  );
  return nn.concat(
    all.map((at) => piece(...at)),
    3,
  );
}

/** Three such convolutions, then a perceptron over all places. */
function imageTower(block: nn.ParameterBlock): Towers['image'] {
  const widths = [3, ...CHANNELS];
  const layers = CHANNELS.map((out, i) => ({
    weights: dense(block, `image.${i}`, 16 * widths[i]!, out),
    norm: normalised(block, `image.${i}`, out),
  }));
  const narrow = dense(block, 'image.spatial', CHANNELS.at(-1)!, SPATIAL);
  const spatialNorm = normalised(block, 'image.spatial', SPATIAL);
  const hidden = dense(block, 'image.hidden', 36 * SPATIAL, HIDDEN);
  const hiddenNorm = normalised(block, 'image.hidden', HIDDEN);
  const last = dense(block, 'image.last', HIDDEN, EMBEDDING, 1);
  return (pixels) => {
    let x = pixels;
    for (const { weights, norm } of layers) {
      const even = x.shape[1]! - (x.shape[1]! % 2);
      const cropped = nn.slice(nn.slice(x, 1, 0, even), 2, 0, even);
      x = nn.relu(norm(weights.apply(patches(cropped))));
    }
    const B = x.shape[0]!;
    const spatial = nn.reshape(nn.relu(spatialNorm(narrow.apply(x))), [B, 36, SPATIAL]);
    const h = nn.relu(hiddenNorm(hidden.apply(nn.reshape(spatial, [B, 36 * SPATIAL]))));
    return { embedding: last.apply(h), spatial };
  };
}

/** The mean over the words of a perceptron that sees the word and its place. */
function textTower(block: nn.ParameterBlock, words: number): Towers['text'] {
  const table = block.add('text.words', [words, TEXT_WIDTH], (r, out) => {
    for (let i = 0; i < out.length; i++) out[i] = 0.5 * r.normal();
  });
  const places = block.add('text.places', [CONTEXT, TEXT_WIDTH], (r, out) => {
    for (let i = 0; i < out.length; i++) out[i] = 0.1 * r.normal();
  });
  const first = dense(block, 'text.first', TEXT_WIDTH, TEXT_WIDTH);
  const second = dense(block, 'text.second', TEXT_WIDTH, TEXT_WIDTH);
  const norm = normalised(block, 'text.second', TEXT_WIDTH);
  const last = dense(block, 'text.last', TEXT_WIDTH, EMBEDDING, 1);
  return (tokens) => {
    const B = tokens.shape[0]!;
    const ids = nn.reshape(nn.cast(tokens), [B, CONTEXT, 1]);
    const chosen = nn.equal(ids, nn.constant(Array.from({ length: words }, (_, id) => id)));
    const isWord = nn.sub(1, nn.equal(ids, PAD));
    const x = nn.add(nn.matmul(chosen, table), places);
    const h = nn.mul(nn.relu(first.apply(x)), isWord);
    const mean = nn.div(nn.sum(h, 1), nn.sum(isWord, 1));
    return last.apply(nn.relu(norm(second.apply(mean))));
  };
}
