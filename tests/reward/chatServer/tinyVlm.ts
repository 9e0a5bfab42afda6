import { Draws } from '#core/draws';
import { encodeGguf, type GgufTensor, type GgufValue } from './gguf.js';

/** A vision-language model small enough to be made anew for each test: a ViT over 64 patches of 64 x 64 pixels, a
 * two-layer projector, a llama of two layers over single characters. Most weights are random. Some are set so that text
 * attends to pictures, to the last one most, and there to bright patches: channels carry brightness, the patch's x and
 * what is text or picture through all layers. Those rows of the output matrix that tell digits, True and False apart
 * follow from two learned directions (`learnReadout.ts`): one reads how far to the right a bright block is, the other is
 * the same for everything. */

const image = 64;
const patch = 8;
const vision = { width: 32, heads: 4, hidden: 64, layers: 2 };
const language = { width: 64, heads: 4, hidden: 128, layers: 2, context: 4096 };
const projectorHidden = 128;

export interface TinyVlm {
  readonly model: Uint8Array;
  readonly projector: Uint8Array;
}

/** Words that are one token each, beside the characters. */
const words = ['True', 'False'] as const;

/** What is learned of the last hidden state h: progress . h is how far the block is, constant . h is 1. @shape [width] each */
export interface Readout {
  readonly progress: readonly number[];
  readonly constant: readonly number[];
}

/** @param readout all output rows are random without one */
export function makeTinyVlm(readout?: Readout): TinyVlm {
  const output = outputMatrix();
  if (readout) learnedRows(readout, output);
  return { model: languageModel(output), projector: visionModel() };
}

/** The random output matrix. @shape [tokens, width] */
export function outputMatrix(): GgufTensor {
  return new Weights(3).random([vocabulary().texts.length, language.width]);
}

/** Logits of digits d make a bell around 9 times the progress, and stand above all other tokens; bytes are never said,
 * since a model of one character a token would fall out of UTF-8 with them. */
function learnedRows({ progress, constant }: Readout, output: GgufTensor): void {
  const variance = 1.2 ** 2;
  const put = (token: string, ofProgress: number, ofConstant: number) => {
    const at = vocabulary().texts.indexOf(token) * language.width;
    for (const [i, p] of progress.entries()) output.data[at + i] = ofProgress * p + ofConstant * constant[i]!;
  };
  for (let d = 0; d <= 9; d++) put(String(d), (9 * d) / variance, 6 - d ** 2 / (2 * variance));
  put('True', 8, 6 - 4);
  put('False', -8, 6 + 4);
  for (let byte = 0; byte < 256; byte++) put(byteToken(byte), 0, -20);
}

function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}

class Weights {
  readonly #draws: Draws;

  constructor(stream: number) {
    this.#draws = new Draws(1, stream);
  }

  /** @param gain standard deviation of the output for inputs of standard deviation 1 */
  random(shape: readonly number[], gain = 1): GgufTensor {
    const data = new Float32Array(shape.reduce((product, n) => product * n, 1));
    this.#draws.normals(data);
    const inputs = shape.slice(1).reduce((product, n) => product * n, 1);
    const scale = gain / Math.sqrt(inputs);
    return { shape, data: data.map((value) => value * scale) };
  }
}

/** Channels of the ViT that no layer writes to. */
const seen = { brightness: 0, x: 1 } as const;
/** Channels of the language model that no layer writes to: whether a token is text or picture, and of a patch. */
const carried = { text: 0, picture: 1, brightness: 2, x: 3 } as const;
const mark = 3;

function setRow({ shape, data }: GgufTensor, row: number, entries: Readonly<Record<number, number>>): void {
  const width = shape[1]!;
  data.fill(0, row * width, (row + 1) * width);
  for (const [column, value] of Object.entries(entries)) data[row * width + Number(column)] = value;
}

function filled(n: number, value: number): GgufTensor {
  return { shape: [n], data: new Float32Array(n).fill(value) };
}

function visionModel(): Uint8Array {
  const weights = new Weights(2);
  const { width, heads, hidden, layers } = vision;
  const metadata: Record<string, GgufValue> = {
    'general.architecture': { text: 'clip' },
    'general.name': { text: 'tiny-vlm' },
    'clip.has_vision_encoder': { bool: true },
    'clip.projector_type': { text: 'mlp' },
    'clip.use_gelu': { bool: true },
    'clip.vision.image_size': { u32: image },
    'clip.vision.patch_size': { u32: patch },
    'clip.vision.embedding_length': { u32: width },
    'clip.vision.feed_forward_length': { u32: hidden },
    'clip.vision.projection_dim': { u32: language.width },
    'clip.vision.block_count': { u32: layers },
    'clip.vision.attention.head_count': { u32: heads },
    'clip.vision.attention.layer_norm_epsilon': { f32: 1e-5 },
    'clip.vision.image_mean': { f32s: [0.5, 0.5, 0.5] },
    'clip.vision.image_std': { f32s: [0.25, 0.25, 0.25] },
  };
  const patches = (image / patch) ** 2;
  const tensors: Record<string, GgufTensor> = {
    'v.patch_embd.weight': weights.random([width, 3, patch, patch], 0.5),
    'v.position_embd.weight': weights.random([patches, width], 0.5 * Math.sqrt(width)),
    'v.pre_ln.weight': filled(width, 1),
    'v.pre_ln.bias': filled(width, 0),
    'mm.0.weight': weights.random([projectorHidden, width], 1),
    'mm.0.bias': weights.random([projectorHidden], 0.1),
    'mm.2.weight': weights.random([language.width, projectorHidden], 1),
    'mm.2.bias': filled(language.width, 0),
  };
  const pixels = 3 * patch ** 2;
  tensors['v.patch_embd.weight']!.data.fill(
    2 / pixels,
    seen.brightness * pixels,
    (seen.brightness + 1) * pixels,
  );
  tensors['v.patch_embd.weight']!.data.fill(0, seen.x * pixels, (seen.x + 1) * pixels);
  for (let at = 0; at < patches; at++) {
    const row = tensors['v.position_embd.weight']!.data.subarray(at * width, (at + 1) * width);
    row[seen.brightness] = 0;
    row[seen.x] = (4 * (at % (image / patch))) / (image / patch - 1) - 2;
  }
  // gelu(v) - gelu(-v) = v takes a channel through the projector as it is.
  for (const [pair, from, to] of [
    [0, seen.brightness, carried.brightness],
    [2, seen.x, carried.x],
  ] as const) {
    for (const [unit, sign] of [
      [pair, 1],
      [pair + 1, -1],
    ] as const) {
      setRow(tensors['mm.0.weight']!, unit, { [from]: sign });
      tensors['mm.0.bias']!.data[unit] = 0;
    }
    setRow(tensors['mm.2.weight']!, to, { [pair]: 1, [pair + 1]: -1 });
  }
  for (const channel of [carried.text, carried.picture]) setRow(tensors['mm.2.weight']!, channel, {});
  tensors['mm.2.bias']!.data[carried.picture] = mark;
  for (let layer = 0; layer < layers; layer++) {
    const name = (of: string) => `v.blk.${layer}.${of}`;
    for (const [of, gain] of [
      ['q', 0.1],
      ['k', 0.1],
      ['v', 0.5],
      ['out', 0.5],
    ] as const) {
      tensors[name(`attn_${of}.weight`)] = weights.random([width, width], gain);
      tensors[name(`attn_${of}.bias`)] = filled(width, 0);
    }
    for (const of of ['ln1', 'ln2']) {
      tensors[name(`${of}.weight`)] = filled(width, 1);
      tensors[name(`${of}.bias`)] = filled(width, 0);
    }
    tensors[name('ffn_up.weight')] = weights.random([hidden, width]);
    tensors[name('ffn_up.bias')] = filled(hidden, 0);
    tensors[name('ffn_down.weight')] = weights.random([width, hidden]);
    tensors[name('ffn_down.bias')] = filled(width, 0);
    for (const of of ['attn_out', 'ffn_down'])
      for (const channel of Object.values(seen)) setRow(tensors[name(`${of}.weight`)]!, channel, {});
  }
  return encodeGguf(metadata, tensors);
}

/** Three special tokens, the 256 bytes, the printable characters, the words. */
export function vocabulary(): {
  readonly texts: string[];
  readonly scores: number[];
  readonly kinds: number[];
} {
  const [normal, unknown, control, userDefined, byte] = [1, 2, 3, 4, 6];
  const printable = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).map((c) =>
    c === ' ' ? '\u2581' : c,
  );
  const bytes = Array.from({ length: 256 }, (_, byte) => byteToken(byte));
  const texts = ['<unk>', '<s>', '</s>', ...bytes, ...printable, ...words];
  const kinds = [
    unknown,
    control,
    control,
    ...bytes.map(() => byte),
    ...printable.map(() => normal),
    ...words.map(() => userDefined),
  ];
  return { texts, scores: texts.map((_, i) => -i), kinds };
}

function languageModel(output: GgufTensor): Uint8Array {
  const weights = new Weights(1);
  const { width, heads, hidden, layers, context } = language;
  const { texts, scores, kinds } = vocabulary();
  const metadata: Record<string, GgufValue> = {
    'general.architecture': { text: 'llama' },
    'general.name': { text: 'tiny-vlm' },
    'llama.context_length': { u32: context },
    'llama.embedding_length': { u32: width },
    'llama.feed_forward_length': { u32: hidden },
    'llama.block_count': { u32: layers },
    'llama.attention.head_count': { u32: heads },
    'llama.attention.layer_norm_rms_epsilon': { f32: 1e-5 },
    'llama.rope.dimension_count': { u32: width / heads },
    'llama.vocab_size': { u32: texts.length },
    'tokenizer.ggml.model': { text: 'llama' },
    'tokenizer.ggml.tokens': { texts },
    'tokenizer.ggml.scores': { f32s: scores },
    'tokenizer.ggml.token_type': { i32s: kinds },
    'tokenizer.ggml.unknown_token_id': { u32: 0 },
    'tokenizer.ggml.bos_token_id': { u32: 1 },
    'tokenizer.ggml.eos_token_id': { u32: 2 },
    'tokenizer.ggml.add_space_prefix': { bool: false },
  };
  const embedding = weights.random([texts.length, width], Math.sqrt(width));
  for (let token = 0; token < texts.length; token++)
    for (const channel of Object.values(carried))
      embedding.data[token * width + channel] = channel === carried.text ? mark : 0;
  const tensors: Record<string, GgufTensor> = {
    'token_embd.weight': embedding,
    'output_norm.weight': filled(width, 1),
    'output.weight': output,
  };
  for (let layer = 0; layer < layers; layer++) {
    const name = (of: string) => `blk.${layer}.${of}.weight`;
    for (const [of, gain] of [
      ['q', 0.1],
      ['k', 0.1],
      ['v', 1],
      ['output', 1],
    ] as const)
      tensors[name(`attn_${of}`)] = weights.random([width, width], gain);
    tensors[name('attn_norm')] = filled(width, 1);
    tensors[name('ffn_norm')] = filled(width, 1);
    tensors[name('ffn_gate')] = weights.random([hidden, width]);
    tensors[name('ffn_up')] = weights.random([hidden, width]);
    tensors[name('ffn_down')] = weights.random([width, hidden], 0.5);
    for (const of of ['attn_output', 'ffn_down'])
      for (const channel of Object.values(carried)) setRow(tensors[name(of)]!, channel, {});
    for (let head = 0; head < heads; head++)
      lookAtPictures(tensors[name('attn_q')]!, tensors[name('attn_k')]!, head);
  }
  return encodeGguf(metadata, tensors);
}

/** Rotary pairs turn by 10000^(-pair / 8) a token: pair 4 by 0.01, so that of pictures up to some hundred characters back
 * the last one counts most; pair 6 hardly at all, for brightness. */
function lookAtPictures(query: GgufTensor, key: GgufTensor, head: number): void {
  const first = (head * language.width) / language.heads;
  setRow(query, first + 8, { [carried.text]: 1 });
  setRow(key, first + 8, { [carried.picture]: 1.3 });
  setRow(query, first + 12, { [carried.text]: 1 });
  setRow(key, first + 12, { [carried.brightness]: 2.5 });
  for (const other of [9, 13]) for (const matrix of [query, key]) setRow(matrix, first + other, {});
}
