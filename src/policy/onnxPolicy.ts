import { VernierError } from '#core/errors';
import { loadOnnxRuntime, type Ort, type OrtSession, type OrtTensor, openOnnxSession } from '#nn/onnxRuntime';
import { QueuedPolicy } from '#policy/queuedPolicy';

/** A base policy from an ONNX file, run by onnxruntime-node. */

export interface OnnxPolicyOptions {
  readonly B: number;
  readonly O: number;
  readonly A: number;
  /** Actions executed before the next inference; all the model gives when left out. */
  readonly execute?: number;
  /** What messages call the model: its path. */
  readonly label: string;
}

/** One float32 input [B,O], one output [B,A], [B,H*A] or [B,H,A], both in the task's units. A model that takes one
 * row at a time (a static batch of 1) is run once per row. */
export class OnnxPolicy extends QueuedPolicy {
  readonly kind = 'onnx';
  readonly #model: OnnxModel;
  readonly #actions: Float32Array;

  private constructor(options: OnnxPolicyOptions, model: OnnxModel) {
    const { B, A, execute } = options;
    const chunk = model.width / A;
    super(options, chunk, Math.min(chunk, execute ?? chunk));
    this.#model = model;
    this.#actions = new Float32Array(B * model.width);
  }

  /** Loads a model and asks it once, with zeros, for the length of its chunks.
   * @throws VernierError BACKEND without the runtime, DATA where the model does not fit the task */
  static async create(model: Uint8Array, options: OnnxPolicyOptions): Promise<OnnxPolicy> {
    return new OnnxPolicy(options, await OnnxModel.load(model, options));
  }

  protected override async decide(observation: Float32Array): Promise<Float32Array> {
    await this.#model.run(observation, this.#actions);
    return this.#actions;
  }

  override close(): void {
    this.#model.close();
  }
}

/** A session that answers B rows, at once or one by one. */
class OnnxModel {
  readonly #session: OrtSession;
  readonly #input: OrtTensor;
  readonly #rows: Float32Array;
  /** H*A */
  readonly width: number;

  private constructor(session: OrtSession, ort: Ort, rows: number, O: number, width: number) {
    this.#session = session;
    this.#rows = new Float32Array(rows * O);
    this.#input = new ort.Tensor('float32', this.#rows, [rows, O]);
    this.width = width;
  }

  static async load(model: Uint8Array, { B, O, A, label }: OnnxPolicyOptions): Promise<OnnxModel> {
    const ort = await loadOnnxRuntime('a base policy from an ONNX file');
    const fail = (what: string, cause?: unknown): never => {
      throw new VernierError('DATA', `${label}: ${what}`, {
        hint: `expected one float32 input [batch, ${O}] and one output [batch, ${A}] or [batch, chunk, ${A}]`,
        context: { file: label },
        cause,
      });
    };
    const session = await openOnnxSession(ort, model).catch((cause: Error) => fail(cause.message, cause));
    const { inputNames, outputNames } = session;
    if (inputNames.length !== 1) fail(`the model has ${inputNames.length} inputs (${inputNames.join(', ')})`);
    const ask = async (rows: number): Promise<OrtTensor> => {
      const zeros = new ort.Tensor('float32', new Float32Array(rows * O), [rows, O]);
      return (await session.run({ [inputNames[0]!]: zeros }))[outputNames[0]!]!;
    };
    let rows = B;
    const answer = await ask(B).catch(() => {
      rows = 1;
      return ask(1).catch((cause: Error) => fail(`cannot be run on [1, ${O}]: ${cause.message}`, cause));
    });
    const width = answer.data.length / rows;
    if (answer.dims[0] !== rows || width % A !== 0) fail(`the output is [${answer.dims.join(', ')}]`);
    return new OnnxModel(session, ort, rows, O, width);
  }

  /** @shape observation [B,O]; outActions [B,H*A], clipped to [-1, 1] */
  async run(observation: Float32Array, outActions: Float32Array): Promise<void> {
    const step = this.#rows.length;
    for (let at = 0, to = 0; at < observation.length; at += step) {
      this.#rows.set(observation.subarray(at, at + step));
      const answer = await this.#session.run({ [this.#session.inputNames[0]!]: this.#input });
      const { data } = answer[this.#session.outputNames[0]!]!;
      for (let i = 0; i < data.length; i++) outActions[to++] = Math.min(1, Math.max(-1, data[i]!));
    }
    if (outActions.some(Number.isNaN)) throw new VernierError('NUMERIC', 'the ONNX base policy answered NaN');
  }

  close(): void {
    void this.#session.release();
  }
}
