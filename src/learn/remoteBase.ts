import { existsSync } from 'node:fs';
import { decodeContainer, encodeContainer, readFileBytes, writeFileAtomic } from '#core/container';
import { VernierError } from '#core/errors';
import { inspectRemote } from '#policy/remoteInspection';
import type { RemoteInput, RemoteModel, RemoteTask, ServedBase } from '#policy/remoteModel';
import type { BaseSpec } from '#spec/learningSchema';

/** A run's remote base: what its server is asked before the run begins, and kept for the continuation. */

const KIND = 'remote base';
const VERSION = 1;

/** Asks the server what it serves. The first answer is kept in `file`.
 * @throws CHECKPOINT where the run began with another policy; DATA and TIMEOUT as `inspectRemote` */
export async function prepareRemote(
  settings: BaseSpec,
  task: RemoteTask,
  file: string,
): Promise<RemoteModel> {
  const model = remoteModel(settings, task);
  const served = await inspectRemote(model);
  if (existsSync(file)) requireSame(readServed(file), served, model.endpoint);
  else
    writeFileAtomic(
      file,
      encodeContainer({ kind: KIND, version: VERSION, meta: { served }, arrays: new Map() }),
    );
  return { ...model, served };
}

/** The same of a run that has been through this, without asking. */
export function runRemote(settings: BaseSpec, task: RemoteTask, file: string): RemoteModel {
  return { ...remoteModel(settings, task), served: readServed(file) };
}

function readServed(file: string): ServedBase {
  const container = decodeContainer(readFileBytes(file), {
    kind: KIND,
    version: VERSION,
    code: 'CHECKPOINT',
    label: file,
  });
  return container.meta['served'] as ServedBase;
}

function requireSame(before: ServedBase, now: ServedBase, endpoint: string): void {
  const [found, wanted] = [JSON.stringify(now), JSON.stringify(before)];
  if (found === wanted) return;
  throw new VernierError(
    'CHECKPOINT',
    `${endpoint}: another policy is served than when the run began: ${found}, it was ${wanted}`,
    { hint: 'serve the same bundle again, or name another run folder' },
  );
}

/** Defaults of the keys that the schema leaves open. */
function remoteModel(settings: BaseSpec, task: RemoteTask): RemoteModel {
  const { endpoint, protocol = 'vernier', encoding = 'groot', execute } = settings;
  const { server_key: serverKey, client_keys: clientKeys } = settings;
  if (endpoint === undefined)
    throw new VernierError('SPEC', 'base.kind is remote, but base.endpoint does not name a server');
  const { controlPeriod, observationFields, actionNames } = task;
  const { observation } = settings;
  return {
    kind: 'remote',
    endpoint,
    protocol,
    encoding,
    timeoutMs: settings.timeout_ms ?? 2000,
    reconnectMs: settings.reconnect_ms ?? 10_000,
    ...(execute === undefined ? {} : { execute }),
    ...(observation === undefined ? {} : { inputs: remoteInputs(observation, observationFields) }),
    text: settings.text ?? {},
    actions: settings.actions ?? ['actions'],
    ...(serverKey === undefined ? {} : { serverKey }),
    ...(clientKeys === undefined ? {} : { clientKeys }),
    task: { controlPeriod, observationFields, actionNames },
    served: undefined,
  };
}

function remoteInputs(
  observation: Readonly<Record<string, string | readonly string[]>>,
  fields: RemoteTask['observationFields'],
): RemoteInput[] {
  const columns = new Map<string, number[]>();
  let offset = 0;
  for (const { name, length } of fields) {
    columns.set(
      name,
      Array.from({ length }, (_, i) => offset + i),
    );
    offset += length;
  }
  return Object.entries(observation).map(([name, sent]) => ({
    name,
    columns: [sent].flat().flatMap((field) => {
      const found = columns.get(field as string);
      if (found) return found;
      throw new VernierError(
        'SPEC',
        `base.observation.${name}: nothing of the observation is called ${field}`,
      );
    }),
  }));
}
