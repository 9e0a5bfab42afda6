import { nearestName, VernierError } from '#core/errors';
import type { PhiloxStream } from '#core/philox';
import { type Shape, sizeOf } from '#nn/shape';
import { type ParameterStore, Tensor } from '#nn/tensor';

/** Fills one tensor's first values; `shape` is without the ensemble axis. */
export type Initializer = (rng: PhiloxStream, out: Float32Array, shape: Shape) => void;

/** One buffer a checkpoint keeps. */
export interface StateBuffer {
  readonly name: string;
  readonly values: Float32Array;
}

interface Entry {
  readonly name: string;
  readonly shape: Shape;
  readonly offset: number;
  readonly initialize: Initializer;
}

/** Moments and step count of a block's optimiser; they belong to the block, so programs share them. */
export interface OptimizerState {
  readonly first: Float32Array;
  readonly second: Float32Array;
  /** Updates done so far. @shape [1] */
  readonly step: Float32Array;
}

const ALIGN = 16;

/** Named tensors in one flat buffer, shared by any number of programs. With `members` every shape starts with
 * that ensemble axis and a member's tensors lie together, so one member is one contiguous stretch. */
export class ParameterBlock implements ParameterStore {
  readonly name: string;
  readonly members: number;
  /** Whether every tensor starts with the ensemble axis. */
  readonly ensemble: boolean;
  readonly #rng: PhiloxStream;
  readonly #entries = new Map<string, Entry>();
  readonly #tensors = new Map<string, Tensor>();
  #stride = 0;
  #values: Float32Array | undefined;
  #optimizer: OptimizerState | undefined;

  constructor(name: string, options: { readonly rng: PhiloxStream; readonly members?: number }) {
    this.name = name;
    this.members = options.members ?? 1;
    this.ensemble = options.members !== undefined;
    this.#rng = options.rng;
  }

  /** Declares a tensor; its first values are drawn, in order of declaration, when the values are first read. */
  add(name: string, shape: Shape, initialize: Initializer): Tensor {
    if (this.#values)
      throw new VernierError('STATE', `block ${this.name}: ${name} comes after its values were read`);
    if (this.#entries.has(name))
      throw new VernierError('SHAPE', `block ${this.name} already has a tensor ${name}`);
    if (this.ensemble && shape[0] !== this.members) {
      throw new VernierError(
        'SHAPE',
        `block ${this.name}: ${name} is [${shape}], must start with ${this.members} members`,
      );
    }
    const own = this.ensemble ? shape.slice(1) : [...shape];
    this.#entries.set(name, { name, shape: own, offset: this.#stride, initialize });
    this.#stride += Math.ceil(sizeOf(own) / ALIGN) * ALIGN;
    return this.tensor(name);
  }

  /** The graph node of a tensor. @throws SHAPE if there is none of that name */
  tensor(name: string): Tensor {
    const known = this.#tensors.get(name);
    if (known) return known;
    const { shape } = this.#entry(name);
    const full = this.ensemble ? [this.members, ...shape] : shape;
    const node = new Tensor('parameter', [], full, { block: this, name });
    this.#tensors.set(name, node);
    return node;
  }

  get names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  get tensors(): readonly Tensor[] {
    return this.names.map((name) => this.tensor(name));
  }

  get memberStride(): number {
    return this.#stride;
  }

  /** A member's share of one tensor is [offset, offset + size) of its stretch. */
  offsetOf(name: string): number {
    return this.#entry(name).offset;
  }

  get values(): Float32Array {
    this.#values ??= this.#initialize();
    return this.#values;
  }

  /** The optimiser's buffers, made on first use. */
  get optimizer(): OptimizerState {
    const size = this.values.length;
    this.#optimizer ??= {
      first: new Float32Array(size),
      second: new Float32Array(size),
      step: new Float32Array(1),
    };
    return this.#optimizer;
  }

  /** One tensor of one member, as a window into `values`. */
  view(name: string, member = 0): Float32Array {
    const { offset, shape } = this.#entry(name);
    const start = member * this.#stride + offset;
    return this.values.subarray(start, start + sizeOf(shape));
  }

  /** Every buffer a checkpoint must keep. */
  state(): StateBuffer[] {
    const buffers = [{ name: this.name, values: this.values }];
    const optimizer = this.#optimizer;
    if (!optimizer) return buffers;
    return [
      ...buffers,
      { name: `${this.name}.first`, values: optimizer.first },
      { name: `${this.name}.second`, values: optimizer.second },
      { name: `${this.name}.step`, values: optimizer.step },
    ];
  }

  /** A block of the same layout and values, for a target network. */
  clone(name: string): ParameterBlock {
    const copy = new ParameterBlock(name, {
      rng: this.#rng,
      ...(this.ensemble ? { members: this.members } : {}),
    });
    for (const entry of this.#entries.values()) copy.#entries.set(entry.name, entry);
    copy.#stride = this.#stride;
    copy.#values = Float32Array.from(this.values);
    return copy;
  }

  /** Takes over the values, not the optimiser. @throws SHAPE if the layouts differ */
  copyFrom(other: ParameterBlock): void {
    if (!this.sameLayout(other)) {
      throw new VernierError(
        'SHAPE',
        `block ${this.name} cannot take the values of ${other.name}: layouts differ`,
      );
    }
    this.values.set(other.values);
  }

  sameLayout(other: ParameterBlock): boolean {
    const mine = [...this.#entries.values()];
    return (
      this.members === other.members &&
      mine.length === other.#entries.size &&
      mine.every((e) => {
        const o = other.#entries.get(e.name);
        return o?.offset === e.offset && sizeOf(o.shape) === sizeOf(e.shape);
      })
    );
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry) return entry;
    const near = nearestName(name, this.names);
    throw new VernierError(
      'SHAPE',
      `block ${this.name} has no tensor ${name}`,
      near ? { hint: `${near}?` } : {},
    );
  }

  #initialize(): Float32Array {
    const values = new Float32Array(this.members * this.#stride);
    for (let member = 0; member < this.members; member++) {
      for (const { offset, shape, initialize } of this.#entries.values()) {
        const start = member * this.#stride + offset;
        initialize(this.#rng, values.subarray(start, start + sizeOf(shape)), shape);
      }
    }
    return values;
  }
}
