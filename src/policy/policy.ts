/** Policies are batched over B rows, one per environment, and keep per-row state (chunks, random streams). */

/** Chooses actions in the task's units, each in [-1, 1]. */
export interface Policy {
  readonly B: number;
  readonly O: number;
  readonly A: number;
  /** A new episode starts in the rows whose mask is 1; in all rows without a mask. */
  reset(mask?: Uint8Array): void;
  /** The next action of every row, or of the rows whose mask is 1; the others of `outAction` stay. Some policies
   * (ONNX, remote) answer later: await what comes back, if anything.
   * @shape observation [B,O], outAction [B,A], mask [B] */
  act(observation: Float32Array, outAction: Float32Array, mask?: Uint8Array): void | Promise<void>;
  close(): void;
}

/** A policy that acts in chunks, as a black box: the residual sees its action and its phase, nothing else. */
export interface BasePolicy extends Policy {
  readonly kind: 'chunk' | 'onnx' | 'remote' | 'zero' | 'random';
  /** H, the number of actions decided at once. */
  readonly chunk: number;
  /** How many of them are executed before the next chunk is decided; all when left out. */
  readonly execute?: number;
  /** [B,H,A] the chunks the rows are in, live, of a policy that decides them by the observation alone; left out by one
   * that remembers more. */
  readonly decided?: Float32Array;
  /** [B] how far into its chunk the last action of each row was: k/H for the k-th. */
  readonly phase: Float32Array;
  /** Per-row state a checkpoint must keep, by name: live arrays, to be read and to be written in place. */
  readonly state: Readonly<Record<string, Float32Array | Int32Array>>;
}
