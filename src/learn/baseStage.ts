import {
  type ContainerArray,
  containerArray,
  decodeContainer,
  encodeContainer,
  readFileBytes,
  writeFileAtomic,
} from '#core/container';
import { VernierError } from '#core/errors';
import { PhiloxStream } from '#core/philox';
import type { Demos } from '#data/demos';
import { type Mirror, mirrorDemos } from '#data/mirror';
import { type BcProgress, chunkSpecOf, cloneBase } from '#learn/bc';
import type { Problem } from '#learn/problem';
import { keptSteps } from '#learn/progressFilter';
import { prepareRemote, runRemote } from '#learn/remoteBase';
import type { CompileOptions } from '#nn/compile';
import type { BaseModel } from '#policy/bundle';
import { chunkNetwork } from '#policy/chunkPolicy';
import { fitNormaliser, type Normaliser, type NormaliserOptions } from '#policy/normaliser';
import type { BaseSpec } from '#spec/learningSchema';

/** The run's base policy: cloned, read from an ONNX file, asked of a server, or none to speak of. */

export interface BaseStageOptions {
  readonly settings: BaseSpec;
  readonly demos: Demos;
  /** For `settings.mirror`. */
  readonly mirror?: Mirror | undefined;
  /** Where a cloned base is kept, or what a server said of itself. */
  readonly file: string;
  readonly compile: CompileOptions;
  readonly report: (progress: BcProgress) => void;
  /** Told once, in words. */
  readonly note: (text: string) => void;
  readonly stop: () => boolean;
}

/** The base, cloned now where it is to be cloned; undefined where `stop` ended the cloning. */
export async function prepareBase(options: BaseStageOptions): Promise<BaseModel | undefined> {
  const { settings, demos, file } = options;
  if (settings.kind === 'chunk') return cloneChunkBase(options);
  return settings.kind === 'remote'
    ? prepareRemote(settings, demos, file)
    : givenBase(settings, settings.kind);
}

/** The base of a run that has been through this stage. */
export function runBase(settings: BaseSpec, file: string, problem: Problem): BaseModel {
  if (settings.kind === 'chunk') return loadBase(file, settings, problem.O, problem.A);
  return settings.kind === 'remote' ? runRemote(settings, problem, file) : givenBase(settings, settings.kind);
}

/** A base that nothing needs to be done for. */
function givenBase(settings: BaseSpec, kind: Exclude<BaseSpec['kind'], 'chunk' | 'remote'>): BaseModel {
  switch (kind) {
    case 'zero':
      return { kind };
    case 'random':
      return { kind, seed: settings.seed };
    case 'onnx': {
      if (settings.file === undefined)
        throw new VernierError('SPEC', 'base.kind is onnx, but base.file does not name a model');
      const { file: label, execute } = settings;
      const model = readFileBytes(label, 'base.file names the ONNX model, relative to the task file');
      return { kind, model, label, ...(execute === undefined ? {} : { execute }) };
    }
    default:
      return kind satisfies never;
  }
}

async function cloneChunkBase(options: BaseStageOptions): Promise<BaseModel | undefined> {
  const { settings, demos, compile, report, stop } = options;
  const mirrored = settings.mirror && options.mirror ? mirrorDemos(demos, options.mirror) : undefined;
  const normaliser = fitToDemos(demos, mirrored, {
    scale: 0,
    rangeFloor: settings.action_range_floor,
    stdFloor: settings.state_std_floor,
  });
  const keep = settings.filter && stepsToClone(options, normaliser);
  const network = await cloneBase({ demos, mirrored, normaliser, settings, keep, compile, report, stop });
  if (!network) return undefined;
  const base: Extract<BaseModel, { kind: 'chunk' }> = {
    kind: 'chunk',
    spec: chunkSpecOf(settings, demos.O, demos.A),
    network,
    normaliser,
  };
  saveBase(options.file, base);
  return base;
}

/** The normaliser of demonstrations and, where there are some, of their mirror images. */
export function fitToDemos(
  demos: Demos,
  mirrored: Demos | undefined,
  options: NormaliserOptions,
): Normaliser {
  const both = (key: 'observation' | 'action'): Float32Array =>
    mirrored ? Float32Array.from([...demos[key], ...mirrored[key]]) : demos[key];
  return fitNormaliser(both('observation'), demos.O, both('action'), demos.A, options);
}

/** @throws VernierError DATA where the filter leaves too little */
function stepsToClone(
  { demos, settings, compile, note }: BaseStageOptions,
  normaliser: Normaliser,
): Uint8Array {
  const { chunk: window, seed } = settings;
  const keep = keptSteps({ demos, normaliser, settings: settings.filter!, window, seed, compile });
  const kept = keep.reduce((sum, one) => sum + one, 0);
  if (kept < window)
    throw new VernierError('DATA', `the progress filter keeps ${kept} of ${keep.length} steps`, {
      hint: 'lower base.filter.pace, or record demonstrations of which some succeed',
    });
  note(`progress filter: ${kept} of ${keep.length} steps are cloned`);
  return keep;
}

const KIND = 'base';
const VERSION = 1;

/** Keeps a cloned base so that a resumed run does not clone it again. */
function saveBase(path: string, base: Extract<BaseModel, { kind: 'chunk' }>): void {
  const arrays = new Map<string, ContainerArray>();
  for (const [name, data] of Object.entries(base.normaliser) as [string, Float32Array][])
    arrays.set(name, { shape: [data.length], data });
  const { values } = base.network.block;
  arrays.set('values', { shape: [values.length], data: values });
  writeFileAtomic(path, encodeContainer({ kind: KIND, version: VERSION, meta: { spec: base.spec }, arrays }));
}

/** Reads what cloning kept. */
export function loadBase(path: string, settings: BaseSpec, O: number, A: number): BaseModel {
  const options = { kind: KIND, version: VERSION, code: 'CHECKPOINT', label: path } as const;
  const container = decodeContainer(readFileBytes(path), options);
  const spec = chunkSpecOf(settings, O, A);
  if (JSON.stringify(container.meta['spec']) !== JSON.stringify(spec))
    throw new VernierError('CHECKPOINT', `${path}: the base was cloned with other settings`, {
      hint: 'use another run folder, or delete this one',
    });
  const f32 = (name: string): Float32Array => containerArray(container, name, 'f32', [-1], options);
  const network = chunkNetwork(spec, new PhiloxStream(0));
  network.block.values.set(f32('values'));
  const normaliser: Normaliser = {
    observationMean: f32('observationMean'),
    observationStd: f32('observationStd'),
    actionCenter: f32('actionCenter'),
    actionHalf: f32('actionHalf'),
    actionLower: f32('actionLower'),
    actionUpper: f32('actionUpper'),
  };
  return { kind: 'chunk', spec, network, normaliser };
}
