import { ChunkQueue } from '#policy/chunkQueue';
import type { BasePolicy } from '#policy/policy';

/** A base that decides chunks of actions and plays them, row by row: what cloned, ONNX and remote bases share. */
export abstract class QueuedPolicy implements BasePolicy {
  abstract readonly kind: BasePolicy['kind'];
  readonly B: number;
  readonly O: number;
  readonly A: number;
  readonly chunk: number;
  readonly execute: number;
  readonly decided: Float32Array;
  readonly phase: Float32Array;
  readonly state: ChunkQueue['state'];
  readonly #queue: ChunkQueue;

  /** @param chunk H @param execute actions of a chunk that are played before the next one is decided */
  constructor(
    { B, O, A }: { readonly B: number; readonly O: number; readonly A: number },
    chunk: number,
    execute: number,
  ) {
    this.B = B;
    this.O = O;
    this.A = A;
    this.chunk = chunk;
    this.execute = execute;
    this.#queue = new ChunkQueue(B, A, chunk, execute);
    this.decided = this.#queue.state.queue;
    this.phase = this.#queue.phase;
    this.state = this.#queue.state;
  }

  reset(mask?: Uint8Array): void {
    this.#queue.reset(mask);
  }

  act(observation: Float32Array, outAction: Float32Array, mask?: Uint8Array): void | Promise<void> {
    if (!this.#queue.due(mask)) return this.#queue.take(outAction, mask);
    const actions = this.decide(observation, mask);
    if (!(actions instanceof Promise)) return this.#play(actions, outAction, mask);
    return actions.then((decided) => this.#play(decided, outAction, mask));
  }

  #play(actions: Float32Array, outAction: Float32Array, mask: Uint8Array | undefined): void {
    this.#queue.refill(actions, mask);
    this.#queue.take(outAction, mask);
  }

  /** Chunks for at least the rows of `dueRows`; those of the others are not looked at.
   * @shape observation [B,O], result [B,H*A] */
  protected abstract decide(
    observation: Float32Array,
    mask: Uint8Array | undefined,
  ): Float32Array | Promise<Float32Array>;

  /** The rows whose chunk is used up. */
  protected dueRows(mask: Uint8Array | undefined): number[] {
    return this.#queue.dueRows(mask);
  }

  abstract close(): void;
}
