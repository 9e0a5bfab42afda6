import {
  containerArray,
  decodeContainer,
  encodeContainer,
  readFileBytes,
  writeFileAtomic,
} from '#core/container';
import { VernierError } from '#core/errors';
import { PhiloxStream } from '#core/philox';
import type { ObservationField } from '#data/demos';
import { type CompileOptions, compile, inputOf, outputOf, type Program } from '#nn/compile';
import * as nn from '#nn/graph';
import { type Layer, mlp } from '#nn/layers';
import { exportOnnx } from '#nn/onnx';
import type { DistillationSpec } from '#spec/scores/distilledSchema';

/** Small networks from an observation to progress in [0, 1]. */

export type ProgressTarget = DistillationSpec['target'];

export interface ProgressShape {
  readonly fields: readonly ObservationField[];
  readonly members: number;
  readonly hidden: readonly number[];
  readonly target: ProgressTarget;
}

/** What is taken off observations and what they are divided by. @shape mean, std [O] */
export interface ObservationScale {
  readonly mean: Float32Array;
  readonly std: Float32Array;
}

const BINS = 10;
/** Rows of one call. */
const ROWS = 64;
const KIND = 'progress';
const VERSION = 1;
const READ = { kind: KIND, version: VERSION, code: 'DATA' } as const;

export class ProgressEnsemble {
  readonly shape: ProgressShape;
  readonly O: number;
  readonly block: nn.ParameterBlock;
  readonly scale: ObservationScale;
  /** What the networks put out at progress 0 and 1. */
  range: readonly [low: number, high: number] = [0, 1];
  readonly #layer: Layer;
  readonly #compile: CompileOptions;
  #program: Program | undefined;

  constructor(shape: ProgressShape, scale: ObservationScale, seed: number, how: CompileOptions) {
    this.shape = shape;
    this.scale = scale;
    this.#compile = how;
    const { fields, members, hidden, target } = shape;
    this.O = fields.reduce((sum, { length }) => sum + length, 0);
    this.block = new nn.ParameterBlock('progress', { rng: new PhiloxStream(seed, 0x50524f47), members });
    const out = target === 'classification' ? BINS : 1;
    this.#layer = mlp(this.block, 'progress', { in: this.O, hidden, out, layerNorm: true });
  }

  /** What the networks put out, before it is made a number. @shape observation [E,B,O] or [B,O]; result [E,B,1 or bins] */
  raw(observation: nn.Tensor): nn.Tensor {
    const { mean, std } = this.scale;
    const centred = nn.sub(observation, nn.constant(mean, [this.O]));
    return this.#layer.apply(nn.div(centred, nn.constant(std, [this.O])));
  }

  /** @shape observation [E,B,O] or [B,O]; result [E,B,1] */
  value(observation: nn.Tensor): nn.Tensor {
    const raw = this.raw(observation);
    if (this.shape.target !== 'classification') return raw;
    return nn.sum(nn.mul(nn.softmax(raw), nn.constant(binCentres(), [BINS])), [2], true);
  }

  /** Progress as the mean of the networks, and 1 - 2 * their standard deviation as confidence.
   * @shape observation [N,O]; phi, confidence [N] */
  score(observation: Float32Array): { readonly phi: Float64Array; readonly confidence: Float64Array } {
    const N = observation.length / this.O;
    const { members } = this.shape;
    const phi = new Float64Array(N);
    const confidence = new Float64Array(N);
    for (let first = 0; first < N; first += ROWS) {
      const rows = Math.min(ROWS, N - first);
      const values = this.#values(observation.subarray(first * this.O, (first + rows) * this.O));
      for (let row = 0; row < rows; row++) {
        const each = Array.from({ length: members }, (_, e) => this.#progress(values[e * ROWS + row]!));
        const mean = each.reduce((sum, value) => sum + value, 0) / members;
        const variance = each.reduce((sum, value) => sum + (value - mean) ** 2, 0) / members;
        phi[first + row] = mean;
        confidence[first + row] = 1 - 2 * Math.sqrt(variance);
      }
    }
    return { phi, confidence };
  }

  /** What the networks put out, unscaled. @shape observation [rows,O], rows at most 64; result [E,64] */
  #values(observation: Float32Array): ArrayLike<number> {
    this.#program ??= compile(
      { name: 'progress', outputs: { value: this.value(nn.input('observation', [ROWS, this.O])) } },
      this.#compile,
    );
    inputOf(this.#program, 'observation').set(observation);
    this.#program.run();
    return outputOf(this.#program, 'value');
  }

  #progress(value: number): number {
    const [low, high] = this.range;
    return Math.min(1, Math.max(0, (value - low) / (high - low)));
  }

  /** Sets `range` by what the networks put out for labelled observations: the mean of the lowest and highest twentieth.
   * @shape observation [N,O] */
  calibrate(observation: Float32Array): void {
    this.range = [0, 1];
    if (this.shape.target !== 'ranking') return;
    const values: number[] = [];
    for (let first = 0; first < observation.length; first += ROWS * this.O) {
      const rows = observation.subarray(first, Math.min(observation.length, first + ROWS * this.O));
      const out = this.#values(rows);
      for (let row = 0; row < rows.length / this.O; row++) {
        let sum = 0;
        for (let e = 0; e < this.shape.members; e++) sum += out[e * ROWS + row]!;
        values.push(sum / this.shape.members);
      }
    }
    values.sort((a, b) => a - b);
    const twentieth = Math.max(1, Math.floor(values.length / 20));
    const mean = (part: readonly number[]): number => part.reduce((sum, v) => sum + v, 0) / part.length;
    const [low, high] = [mean(values.slice(0, twentieth)), mean(values.slice(-twentieth))];
    this.range = high > low ? [low, high] : [low, low + 1];
  }

  /** Writes the ensemble, and beside it `<path>.onnx`: from an observation [1,O] to what each network puts out. */
  save(path: string, meta: Readonly<Record<string, unknown>>): void {
    const { mean, std } = this.scale;
    const values = this.block.values;
    const arrays = new Map([
      ['mean', { shape: [this.O], data: mean }],
      ['std', { shape: [this.O], data: std }],
      ['values', { shape: [values.length], data: values }],
    ]);
    const about = { ...meta, ...this.shape, range: this.range };
    writeFileAtomic(path, encodeContainer({ kind: KIND, version: VERSION, meta: about, arrays }));
    const outputs = { value: this.value(nn.input('observation', [1, this.O])) };
    const metadata = { vernier: JSON.stringify(about) };
    writeFileAtomic(`${path}.onnx`, exportOnnx({ name: 'progress', outputs, metadata }));
  }

  /** @param fields what the observation has to consist of
   * @throws DATA for a torn or foreign file, or one of another observation */
  static load(path: string, fields: readonly ObservationField[], how: CompileOptions): ProgressEnsemble {
    const bytes = readFileBytes(path, 'a run with a `distilled` score leaves one: scores-<name>.vrn');
    const options = { ...READ, label: path };
    const container = decodeContainer(bytes, options);
    const { range, ...shape } = container.meta as unknown as ProgressShape & { range: [number, number] };
    if (described(shape.fields) !== described(fields))
      throw new VernierError('DATA', `${path}: learned on the observation ${described(shape.fields)}`, {
        hint: `the task's is ${described(fields)}`,
      });
    const array = (name: string): Float32Array => containerArray(container, name, 'f32', [-1], options);
    const ensemble = new ProgressEnsemble(shape, { mean: array('mean'), std: array('std') }, 0, how);
    ensemble.block.values.set(array('values'));
    ensemble.range = range;
    return ensemble;
  }

  close(): void {
    this.#program?.close();
    this.#program = undefined;
  }
}

function described(fields: readonly ObservationField[]): string {
  return fields.map(({ name, length, unit }) => `${name}[${length}] ${unit}`).join(', ');
}

function binCentres(): Float32Array {
  return Float32Array.from({ length: BINS }, (_, i) => (i + 0.5) / BINS);
}

/** Which of the bins each label lies in, one-hot. @shape labels [N]; result [N,bins] */
export function binsOf(labels: ArrayLike<number>): Float32Array {
  const bins = new Float32Array(labels.length * BINS);
  for (let i = 0; i < labels.length; i++)
    bins[i * BINS + Math.min(BINS - 1, Math.floor(labels[i]! * BINS))] = 1;
  return bins;
}

export { BINS as PROGRESS_BINS };
