import { VernierError } from '#core/errors';
import { ChunkQueue } from '#policy/chunkQueue';
import type { BasePolicy } from '#policy/policy';

/** A base policy from an ONNX file, run by onnxruntime-node: the sole file that loads it, and only when asked to. */

/** The part of onnxruntime-node that is used; the package is optional, so its types are not imported. */
interface OrtTensor {
  readonly data: ArrayLike<number>;
  readonly dims: readonly number[];
}
interface OrtSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Record<string, OrtTensor>): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}
interface Ort {
  readonly InferenceSession: { create(model: Uint8Array): Promise<OrtSession> };
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => OrtTensor;
}

const PACKAGE = 'onnxruntime-node';

async function loadRuntime(): Promise<Ort> {
  try {
    return (await import(PACKAGE)) as Ort;
  } catch (cause) {
    throw new VernierError(
      'BACKEND',
      `a base policy from an ONNX file needs ${PACKAGE}, which is not installed`,
      {
        hint: `npm install ${PACKAGE}`,
        cause,
      },
    );
  }
}

export interface OnnxPolicyOptions {
  readonly B: number;
  readonly O: number;
  readonly A: number;
  /** Actions executed before the next inference; all the model gives when left out. */
  readonly execute?: number;
  /** What messages call the model: its path. */
  readonly label: string;
}

/** One float32 input [B,O], one output [B,A], [B,H*A] or [B,H,A], both in the task's units. */
export class OnnxPolicy implements BasePolicy {
  readonly kind = 'onnx';
  readonly B: number;
  readonly O: number;
  readonly A: number;
  readonly chunk: number;
  readonly phase: Float32Array;
  readonly state: ChunkQueue['state'];
  readonly #queue: ChunkQueue;
  readonly #session: OrtSession;
  readonly #input: OrtTensor;
  readonly #observation: Float32Array;

  private constructor(options: OnnxPolicyOptions, chunk: number, session: OrtSession, ort: Ort) {
    const { B, O, A, execute } = options;
    this.B = B;
    this.O = O;
    this.A = A;
    this.chunk = chunk;
    this.#queue = new ChunkQueue(B, A, chunk, Math.min(chunk, execute ?? chunk));
    this.phase = this.#queue.phase;
    this.state = this.#queue.state;
    this.#session = session;
    this.#observation = new Float32Array(B * O);
    this.#input = new ort.Tensor('float32', this.#observation, [B, O]);
  }

  /** Loads a model and asks it once, with zeros, for the length of its chunks.
   * @throws VernierError BACKEND without the runtime, DATA where the model does not fit the task */
  static async create(model: Uint8Array, options: OnnxPolicyOptions): Promise<OnnxPolicy> {
    const { B, O, A, label } = options;
    const ort = await loadRuntime();
    const fail = (what: string, cause?: unknown): never => {
      throw new VernierError('DATA', `${label}: ${what}`, {
        hint: `expected one float32 input [batch, ${O}] and one output [batch, ${A}] or [batch, chunk, ${A}]`,
        context: { file: label },
        cause,
      });
    };
    const session = await ort.InferenceSession.create(model).catch((cause: Error) =>
      fail(cause.message, cause),
    );
    if (session.inputNames.length !== 1)
      fail(`the model has ${session.inputNames.length} inputs (${session.inputNames.join(', ')})`);
    const zeros = new ort.Tensor('float32', new Float32Array(B * O), [B, O]);
    const answer = await session
      .run({ [session.inputNames[0]!]: zeros })
      .catch((cause: Error) => fail(`cannot be run on [${B}, ${O}]: ${cause.message}`, cause));
    const { data, dims } = answer[session.outputNames[0]!]!;
    if (dims[0] !== B || data.length % (B * A) !== 0) fail(`the output is [${dims.join(', ')}]`);
    return new OnnxPolicy(options, data.length / (B * A), session, ort);
  }

  reset(mask?: Uint8Array): void {
    this.#queue.reset(mask);
  }

  act(observation: Float32Array, outAction: Float32Array, mask?: Uint8Array): void | Promise<void> {
    if (!this.#queue.due(mask)) {
      this.#queue.take(outAction, mask);
      return;
    }
    return this.#infer(observation, outAction, mask);
  }

  async #infer(observation: Float32Array, outAction: Float32Array, mask?: Uint8Array): Promise<void> {
    this.#observation.set(observation);
    const answer = await this.#session.run({ [this.#session.inputNames[0]!]: this.#input });
    const raw = answer[this.#session.outputNames[0]!]!.data;
    const actions = Float32Array.from(raw, (a) => Math.min(1, Math.max(-1, a)));
    if (actions.some(Number.isNaN)) throw new VernierError('NUMERIC', 'the ONNX base policy answered NaN');
    this.#queue.refill(actions, mask);
    this.#queue.take(outAction, mask);
  }

  close(): void {
    void this.#session.release();
  }
}
