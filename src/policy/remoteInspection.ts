import { VernierError } from '#core/errors';
import { RemoteConnection } from '#policy/remoteConnection';
import { readChunks, requestData } from '#policy/remoteMessages';
import type { RemoteModel, ServedBase } from '#policy/remoteModel';
import { type ServedPolicy, servedPolicySchema } from '#policy/servedPolicy';
import { isMap, type MessageMap, type MessageValue } from '#transport/zeromq/message';

/** Asks a policy server what it serves, and whether that can be the base of this task.
 * @throws DATA where it cannot, saying why; TIMEOUT where there is no answer */
export async function inspectRemote(model: RemoteModel): Promise<ServedBase> {
  const connection = new RemoteConnection(model);
  try {
    const served =
      model.protocol === 'vernier' ? await askVernier(model, connection) : await askGroot(model, connection);
    if (model.execute !== undefined && model.execute > served.chunk)
      throw new VernierError(
        'DATA',
        `${model.endpoint}: base.execute is ${model.execute}, the server's chunks have ${served.chunk} actions`,
      );
    return served;
  } finally {
    connection.close();
  }
}

async function askVernier(model: RemoteModel, connection: RemoteConnection): Promise<ServedBase> {
  const { endpoint } = model;
  const answer = servedPolicySchema.safeParse(await connection.call('metadata'));
  if (!answer.success)
    throw new VernierError('DATA', `${endpoint}: not a server of vernier serve`, {
      hint: 'base.protocol names other kinds',
      cause: answer.error,
    });
  const { chunk, execute, fingerprint, stateful } = answer.data;
  if (stateful)
    throw new VernierError('DATA', `${endpoint}: the policy there keeps a state, which no checkpoint holds`, {
      hint: 'serve the base alone: vernier serve <run> --policy base',
    });
  requireSame(model, answer.data);
  return { chunk, execute, fingerprint };
}

function requireSame({ endpoint, task, inputs }: RemoteModel, served: ServedPolicy): void {
  const pairs: [string, unknown, unknown][] = [
    ['actions', served.actions, task.actionNames],
    ['control period', served.control_period, task.controlPeriod],
  ];
  if (inputs === undefined)
    pairs.push(['observation', served.observation, task.observationFields.map(plain)]);
  for (const [what, theirs, ours] of pairs) {
    const [found, wanted] = [JSON.stringify(theirs), JSON.stringify(ours)];
    if (found !== wanted)
      throw new VernierError(
        'DATA',
        `${endpoint}: made for another ${what}: it has ${found}, the task ${wanted}`,
      );
  }
}

const plain = ({ name, length, unit }: RemoteModel['task']['observationFields'][number]) => ({
  name,
  length,
  unit,
});

async function askGroot(model: RemoteModel, connection: RemoteConnection): Promise<ServedBase> {
  requireModalities(model, await connection.call('get_modality_config'));
  const { observationFields, actionNames } = model.task;
  const O = observationFields.reduce((sum, { length }) => sum + length, 0);
  const answer = await connection.call('get_action', requestData(model, new Float32Array(O), O));
  const { chunk } = readChunks(model, answer, 1, actionNames.length);
  return { chunk, execute: chunk };
}

/** That everything the server reads is sent. */
function requireModalities({ endpoint, inputs = [], text }: RemoteModel, config: MessageValue): void {
  if (!isMap(config)) return;
  const given = new Set([...inputs.map(({ name }) => name), ...Object.keys(text)]);
  for (const [modality, found] of Object.entries(config)) {
    if (modality === 'action' || found === undefined) continue;
    const missing = modalityKeys(found).find((key) => !given.has(key) && !given.has(`${modality}.${key}`));
    if (missing === undefined) continue;
    if (modality === 'video')
      throw new VernierError(
        'DATA',
        `${endpoint}: the server asks for images (${missing}), the task has none`,
        {
          hint: 'a base that is sent numbers alone can be remote',
        },
      );
    throw new VernierError(
      'DATA',
      `${endpoint}: the server asks for ${missing} (${modality}), which is not sent`,
      {
        hint: `add it under ${modality === 'state' ? 'base.observation' : 'base.text'}`,
      },
    );
  }
}

/** N1.6 has a map, N1.5 JSON of one, both marked as a class of Python's. */
function modalityKeys(found: MessageValue): readonly string[] {
  if (!isMap(found)) return [];
  const inner = found['as_json'] ?? found;
  let fields: unknown = inner;
  if (typeof inner === 'string') {
    try {
      fields = JSON.parse(inner);
    } catch (cause) {
      throw new VernierError('DATA', 'a modality of the server is not JSON', { cause });
    }
  }
  const keys = (fields as MessageMap | null)?.['modality_keys'];
  return Array.isArray(keys) ? keys.filter((key) => typeof key === 'string') : [];
}
