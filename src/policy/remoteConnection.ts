import { VernierError } from '#core/errors';
import type { RemoteModel } from '#policy/remoteModel';
import { readCurveKeys, readPublicKey } from '#transport/zeromq/curveKeys';
import type { MessageMap, MessageValue } from '#transport/zeromq/message';
import { PolicyClient } from '#transport/zeromq/policyClient';
import { newCurveKeys } from '#transport/zeromq/sockets';

/** Pause before a server that is busy is asked again. */
const BUSY_PAUSE_MS = 50;

/** Calls to a remote base that are repeated until it answers or the patience ends. */
export class RemoteConnection {
  readonly #model: RemoteModel;
  #client: Promise<PolicyClient> | undefined;

  constructor(model: RemoteModel) {
    this.#model = model;
  }

  /** @throws TIMEOUT when `reconnectMs` have passed without an answer; DATA when the server refuses */
  async call(name: string, data?: MessageMap): Promise<MessageValue> {
    const { timeoutMs, reconnectMs } = this.#model;
    this.#client ??= connect(this.#model);
    const client = await this.#client;
    const begun = performance.now();
    for (let attempts = 1; ; attempts++) {
      const left = Math.ceil(reconnectMs - (performance.now() - begun));
      const limit = attempts === 1 ? timeoutMs : Math.min(timeoutMs, left);
      try {
        return await client.call(name, data, limit);
      } catch (error) {
        if (!(error instanceof VernierError) || error.code !== 'TIMEOUT') throw error;
        const waited = performance.now() - begun;
        if (waited >= reconnectMs) throw this.#gone(name, attempts, waited, error);
        if (error.context['busy'] === true)
          await new Promise((resume) => setTimeout(resume, Math.min(BUSY_PAUSE_MS, reconnectMs - waited)));
      }
    }
  }

  #gone(name: string, attempts: number, waited: number, cause: VernierError): VernierError {
    const { endpoint } = this.#model;
    const seconds = (waited / 1000).toFixed(1);
    const times = attempts === 1 ? 'once' : `${attempts} times`;
    const busy = cause.context['busy'] === true;
    return new VernierError(
      'TIMEOUT',
      `the remote base ${endpoint} ${busy ? 'was busy' : `did not answer ${name}`}: asked ${times} in ${seconds} s`,
      {
        hint: 'start the policy server again, then give the same command: a training run goes on from its last checkpoint',
        context: { endpoint },
        cause,
      },
    );
  }

  close(): void {
    this.#client?.then(
      (client) => client.close(),
      () => {},
    );
  }
}

async function connect({
  endpoint,
  timeoutMs,
  encoding,
  serverKey,
  clientKeys,
}: RemoteModel): Promise<PolicyClient> {
  if (serverKey === undefined) return new PolicyClient({ endpoint, timeoutMs, arrays: encoding });
  const keys = clientKeys === undefined ? await newCurveKeys() : readCurveKeys(clientKeys);
  const curve = { serverKey: readPublicKey(serverKey), keys };
  return new PolicyClient({ endpoint, timeoutMs, arrays: encoding, curve });
}
