import {
  type Container,
  type ContainerArray,
  containerArray,
  decodeContainer,
  encodeContainer,
  readFileBytes,
  writeFileAtomic,
} from '#core/container';
import { VernierError } from '#core/errors';

/** Recorded episodes of one task; docs/demos.md describes the file. */

export interface Episode {
  readonly seed: number;
  readonly environment: number;
  readonly episode: number;
  readonly length: number;
  readonly terminated: boolean;
  readonly truncated: boolean;
  readonly success: boolean;
}

export interface ObservationField {
  readonly name: string;
  readonly length: number;
  readonly unit: string;
}

/** What episodes must agree on to be used together. */
export interface DemosHeader {
  readonly task: string;
  readonly taskHash: string;
  readonly robotHash: string;
  readonly controlPeriod: number;
  readonly observationFields: readonly ObservationField[];
  readonly actionNames: readonly string[];
}

/** N episodes; episode k has length_k steps and length_k + 1 observations, stored one after the other.
 * @shape observation [sum(length + 1), O], action [sum(length), A], reward [sum(length)], signals [sum(length + 1), S] */
export interface Demos extends DemosHeader {
  readonly O: number;
  readonly A: number;
  readonly episodes: readonly Episode[];
  readonly observation: Float32Array;
  readonly action: Float32Array;
  readonly reward: Float32Array;
  /** What the aids of a task's reward look at, with the names of its columns; left out for tasks without. */
  readonly signals?: { readonly names: readonly string[]; readonly values: Float64Array };
}

const KIND = 'demos';
const VERSION = 1;

/** Writes demonstrations in one atomic step. */
export function saveDemos(path: string, demos: Demos): void {
  checkDemos(demos, path);
  writeFileAtomic(path, encodeContainer(toContainer(demos)));
}

function toContainer(demos: Demos): Container {
  const { O, A, episodes, observation, action, reward, signals, ...header } = demos;
  const S = signals?.names.length ?? 0;
  return {
    kind: KIND,
    version: VERSION,
    meta: { ...header, episodes, ...(signals ? { signalNames: signals.names } : {}) },
    arrays: new Map<string, ContainerArray>([
      ['observation', { shape: [observation.length / O, O], data: observation }],
      ['action', { shape: [action.length / A, A], data: action }],
      ['reward', { shape: [reward.length], data: reward }],
      ...(signals
        ? [['signals', { shape: [signals.values.length / S, S], data: signals.values }] as const]
        : []),
    ]),
  };
}

/** What a task expects of the demonstrations it is given. */
export interface DemosExpectation {
  readonly taskHash: string;
  readonly O: number;
  readonly A: number;
}

/** Reads demonstrations, checked against the task where `expected` is given.
 * @throws VernierError DATA, one clear message: torn file, wrong task, wrong shape, NaN */
export function loadDemos(path: string, expected?: DemosExpectation): Demos {
  const bytes = readFileBytes(path, 'record demonstrations first: vernier demos <task>');
  const options = { kind: KIND, version: VERSION, code: 'DATA', label: path } as const;
  const container = decodeContainer(bytes, options);
  const { episodes, signalNames, ...header } = container.meta as unknown as DemosHeader & {
    episodes: Episode[];
    signalNames?: string[];
  };
  const O = container.arrays.get('observation')?.shape[1] ?? 0;
  const A = container.arrays.get('action')?.shape[1] ?? 0;
  const signalValues = (S: number): Float64Array =>
    containerArray(container, 'signals', 'f64', [-1, S], options);
  const demos: Demos = {
    ...header,
    O,
    A,
    episodes,
    observation: containerArray(container, 'observation', 'f32', [-1, O], options),
    action: containerArray(container, 'action', 'f32', [-1, A], options),
    reward: containerArray(container, 'reward', 'f32', [-1], options),
    ...(signalNames ? { signals: { names: signalNames, values: signalValues(signalNames.length) } } : {}),
  };
  checkDemos(demos, path);
  if (expected) checkExpectation(demos, expected, path);
  return demos;
}

function checkExpectation(demos: Demos, expected: DemosExpectation, path: string): void {
  const fail = (what: string): never => {
    throw new VernierError('DATA', `${path}: ${what}`, {
      hint: 'record demonstrations of this task again: vernier demos <task>',
      context: { file: path },
    });
  };
  if (demos.O !== expected.O) fail(`observations have ${demos.O} numbers, the task has ${expected.O}`);
  if (demos.A !== expected.A) fail(`actions have ${demos.A} numbers, the task has ${expected.A}`);
  if (demos.taskHash !== expected.taskHash)
    fail(
      `recorded for another version of the task (hash ${demos.taskHash}, the task has ${expected.taskHash})`,
    );
}

function checkDemos(demos: Demos, path: string): void {
  const { O, A, episodes } = demos;
  const fail = (what: string): never => {
    throw new VernierError('DATA', `${path}: ${what}`, { context: { file: path } });
  };
  const steps = episodes.reduce((sum, e) => sum + e.length, 0);
  if (episodes.length === 0) fail('no episodes');
  for (const [name, data, wanted] of [
    ['observation', demos.observation, (steps + episodes.length) * O],
    ['action', demos.action, steps * A],
    ['reward', demos.reward, steps],
    ...(demos.signals
      ? [['signals', demos.signals.values, (steps + episodes.length) * demos.signals.names.length] as const]
      : []),
  ] as const)
    if (data.length !== wanted) fail(`${name} holds ${data.length} numbers, the episodes need ${wanted}`);
  const fields = demos.observationFields.reduce((sum, f) => sum + f.length, 0);
  if (fields !== O) fail(`the observation fields name ${fields} numbers, the data has ${O}`);
  if (demos.actionNames.length !== A) fail(`${demos.actionNames.length} action names for ${A} actions`);
  for (let k = 0, step = 0; k < episodes.length; step += episodes[k]!.length, k++) {
    const length = episodes[k]!.length;
    const bad =
      firstBad(demos.observation, (step + k) * O, (length + 1) * O) ??
      firstBad(demos.action, step * A, length * A);
    if (bad !== undefined)
      fail(`episode ${k} holds ${bad.value} (number ${bad.at} of its data): NaN or infinity`);
    const reward = firstBad(demos.reward, step, length);
    if (reward !== undefined) fail(`episode ${k}: the reward of step ${reward.at} is ${reward.value}`);
  }
}

function firstBad(
  data: Float32Array,
  from: number,
  count: number,
): { at: number; value: number } | undefined {
  for (let i = 0; i < count; i++)
    if (!Number.isFinite(data[from + i]!)) return { at: i, value: data[from + i]! };
  return undefined;
}

/** Offsets of each episode: its first step, and its first observation. */
export function episodeOffsets(
  demos: Demos,
): readonly { readonly step: number; readonly observation: number }[] {
  let step = 0;
  return demos.episodes.map((episode, k) => {
    const offsets = { step, observation: step + k };
    step += episode.length;
    return offsets;
  });
}

interface OpenEpisode {
  readonly observation: number[];
  readonly action: number[];
  readonly reward: number[];
  readonly signals: number[];
}

const emptyEpisode = (): OpenEpisode => ({ observation: [], action: [], reward: [], signals: [] });

/** Gathers the steps of B environments and keeps whole episodes. */
export class EpisodeRecorder {
  readonly #O: number;
  readonly #A: number;
  readonly #signalNames: readonly string[];
  readonly #open: OpenEpisode[];
  readonly #kept: { readonly episode: Episode; readonly data: OpenEpisode }[] = [];

  /** @param signalNames columns of the signals to keep; none when left out */
  constructor(B: number, O: number, A: number, signalNames: readonly string[] = []) {
    this.#O = O;
    this.#A = A;
    this.#signalNames = signalNames;
    this.#open = Array.from({ length: B }, emptyEpisode);
  }

  /** One step of one environment. @param signals at the observation. @shape [B,S] */
  add(
    row: number,
    observation: Float32Array,
    action: Float32Array,
    reward: number,
    signals: Float64Array,
  ): void {
    const open = this.#open[row]!;
    append(open.observation, observation, row, this.#O);
    append(open.action, action, row, this.#A);
    append(open.signals, signals, row, this.#signalNames.length);
    open.reward.push(reward);
  }

  /** Ends the open episode of one environment; `keep` says whether it is worth keeping. */
  finish(
    row: number,
    finalObservation: Float32Array,
    finalSignals: Float64Array,
    episode: Omit<Episode, 'length'>,
    keep: boolean,
  ): void {
    const data = this.#open[row]!;
    this.#open[row] = emptyEpisode();
    if (!keep) return;
    append(data.observation, finalObservation, row, this.#O);
    append(data.signals, finalSignals, row, this.#signalNames.length);
    this.#kept.push({ episode: { ...episode, length: data.reward.length }, data });
  }

  /** The kept episodes ordered by (episode, environment), at most `count` of them: the same for any B. */
  build(header: DemosHeader, count: number): Demos {
    const kept = this.#kept
      .toSorted(
        (a, b) => a.episode.episode - b.episode.episode || a.episode.environment - b.episode.environment,
      )
      .slice(0, count);
    const names = this.#signalNames;
    const signals = { names, values: Float64Array.from(kept.flatMap((k) => k.data.signals)) };
    return {
      ...header,
      O: this.#O,
      A: this.#A,
      episodes: kept.map((k) => k.episode),
      observation: Float32Array.from(kept.flatMap((k) => k.data.observation)),
      action: Float32Array.from(kept.flatMap((k) => k.data.action)),
      reward: Float32Array.from(kept.flatMap((k) => k.data.reward)),
      ...(names.length > 0 ? { signals } : {}),
    };
  }
}

function append(to: number[], from: ArrayLike<number>, row: number, width: number): void {
  for (let i = 0; i < width; i++) to.push(from[row * width + i]!);
}
