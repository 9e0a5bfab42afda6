import { VernierError } from '#core/errors';
import { QueuedPolicy } from '#policy/queuedPolicy';
import { RemoteConnection } from '#policy/remoteConnection';
import { readChunks, requestData } from '#policy/remoteMessages';
import type { RemoteModel } from '#policy/remoteModel';
import { isMap, type MessageValue } from '#transport/zeromq/message';

/** A base that answers from another process. Rows whose chunk is used up are sent together; the chunks are executed
 * here, so that the server keeps no state of ours and may be started again between two calls. */
export class RemotePolicy extends QueuedPolicy {
  readonly kind = 'remote';
  readonly #model: RemoteModel;
  readonly #connection: RemoteConnection;
  readonly #actions: Float32Array;

  /** @throws STATE for a model whose server has not been asked what it serves */
  constructor(
    model: RemoteModel,
    { B, O, A }: { readonly B: number; readonly O: number; readonly A: number },
  ) {
    if (!model.served) throw new VernierError('STATE', `${model.endpoint} has not been asked what it serves`);
    const { chunk, execute } = model.served;
    super({ B, O, A }, chunk, model.execute ?? execute);
    this.#model = model;
    this.#connection = new RemoteConnection(model);
    this.#actions = new Float32Array(B * chunk * A);
  }

  protected override async decide(
    observation: Float32Array,
    mask: Uint8Array | undefined,
  ): Promise<Float32Array> {
    const { O, A, chunk } = this;
    const due = this.dueRows(mask);
    const rows = new Float32Array(due.length * O);
    for (const [k, row] of due.entries()) rows.set(observation.subarray(row * O, (row + 1) * O), k * O);
    const answer = await this.#connection.call('get_action', requestData(this.#model, rows, O));
    const chunks = readChunks(this.#model, answer, due.length, A);
    this.#requireSamePolicy(answer);
    if (chunks.chunk !== chunk)
      throw new VernierError(
        'DATA',
        `${this.#model.endpoint}: chunks of ${chunks.chunk} actions, they had ${chunk} before`,
      );
    const width = chunk * A;
    for (const [k, row] of due.entries())
      this.#actions.set(chunks.actions.subarray(k * width, (k + 1) * width), row * width);
    return this.#actions;
  }

  /** Another policy at the same address would be a silent change of the base. */
  #requireSamePolicy(answer: MessageValue): void {
    const wanted = this.#model.served?.fingerprint;
    const found = isMap(answer) ? answer['policy'] : undefined;
    if (wanted === undefined || found === wanted) return;
    throw new VernierError('DATA', `${this.#model.endpoint}: another policy is served there than before`, {
      hint: 'serve the same bundle again, or begin another run',
      context: { wanted, found },
    });
  }

  override close(): void {
    this.#connection.close();
  }
}
