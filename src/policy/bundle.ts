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
import { PhiloxStream } from '#core/philox';
import type { CompileOptions } from '#nn/compile';
import { input, type ParameterBlock } from '#nn/graph';
import { exportOnnx } from '#nn/onnx';
import { ChunkPolicy, type ChunkSpec, chunkActions, chunkNetwork } from '#policy/chunkPolicy';
import {
  type ActorSpec,
  actorNetwork,
  type CriticSpec,
  criticNetwork,
  greedyResidual,
  type Network,
  normaliseSituation,
  type TrainedActor,
} from '#policy/networks';
import type { Normaliser } from '#policy/normaliser';
import { OnnxPolicy } from '#policy/onnxPolicy';
import type { BasePolicy } from '#policy/policy';
import type { RemoteModel } from '#policy/remoteModel';
import { RemotePolicy } from '#policy/remotePolicy';
import { ResidualPolicy } from '#policy/residualPolicy';
import { RandomPolicy, ZeroPolicy } from '#policy/simpleBases';

/** A bundle holds everything needed to act, and nothing else: the networks (also as ONNX), the normaliser, the order
 * and units of the observation, action names, scale and limits, chunking, control period, the robot and the task it
 * belongs to. */

/** A base policy, ready to be instantiated for any number of rows. */
export type BaseModel =
  | { readonly kind: 'zero' }
  | { readonly kind: 'random'; readonly seed: number }
  | {
      readonly kind: 'chunk';
      readonly spec: ChunkSpec;
      readonly network: Network;
      readonly normaliser: Normaliser;
    }
  | { readonly kind: 'onnx'; readonly model: Uint8Array; readonly label: string; readonly execute?: number }
  | RemoteModel;

/** The base's policy for B rows. */
export async function makeBase(
  model: BaseModel,
  shape: { readonly B: number; readonly O: number; readonly A: number },
  options?: CompileOptions,
): Promise<BasePolicy> {
  const { B, O, A } = shape;
  switch (model.kind) {
    case 'zero':
      return new ZeroPolicy(B, O, A);
    case 'random':
      return new RandomPolicy(B, O, A, model.seed);
    case 'chunk':
      return new ChunkPolicy(B, model.spec, model.network, model.normaliser, options);
    case 'onnx': {
      const { label, execute } = model;
      return OnnxPolicy.create(model.model, {
        B,
        O,
        A,
        label,
        ...(execute === undefined ? {} : { execute }),
      });
    }
    case 'remote':
      return new RemotePolicy(model, { B, O, A });
    default:
      return model satisfies never;
  }
}

/** What identifies the work a bundle was made for. */
export interface BundleHeader {
  readonly task: string;
  readonly taskHash: string;
  readonly robotHash: string;
  readonly controlPeriod: number;
  readonly observationFields: readonly {
    readonly name: string;
    readonly length: number;
    readonly unit: string;
  }[];
  readonly actionNames: readonly string[];
  /** What the actions mean: the control mode and its scales, as resolved. */
  readonly control: Readonly<Record<string, unknown>>;
  /** Free-form: success rates, steps, date. */
  readonly made: Readonly<Record<string, unknown>>;
}

export interface PolicyBundle extends BundleHeader {
  readonly O: number;
  readonly A: number;
  /** Residual scale; 0 is the base alone. */
  readonly scale: number;
  readonly base: BaseModel;
  readonly normaliser: Normaliser;
  /** Undefined where the base was shipped alone. */
  readonly trained: TrainedActor | undefined;
}

const KIND = 'policy';
const VERSION = 1;
const NORMALISER = [
  'observationMean',
  'observationStd',
  'actionCenter',
  'actionHalf',
  'actionLower',
  'actionUpper',
] as const;

/** Writes a bundle in one atomic step. */
export function saveBundle(path: string, bundle: PolicyBundle): void {
  writeFileAtomic(path, encodeContainer(toContainer(bundle)));
}

function toContainer(bundle: PolicyBundle): Container {
  const { base, normaliser, trained, ...meta } = bundle;
  const arrays = new Map<string, ContainerArray>();
  const put = (name: string, data: ContainerArray['data']): void => {
    arrays.set(name, { shape: [data.length], data });
  };
  for (const name of NORMALISER) put(`normaliser.${name}`, normaliser[name]);
  if (base.kind === 'chunk') {
    put('base.values', base.network.block.values);
    for (const name of NORMALISER) put(`base.normaliser.${name}`, base.normaliser[name]);
    put('base.onnx', chunkOnnx(base));
  }
  if (base.kind === 'onnx') put('base.onnx', base.model);
  if (trained) {
    put('actor.values', trained.actor.block.values);
    if (trained.judge) put('judge.values', trained.judge.block.values);
    put('actor.onnx', actorOnnx(trained, normaliser));
  }
  return {
    kind: KIND,
    version: VERSION,
    meta: { ...meta, base: baseMeta(base), actor: trained?.actor.spec, judge: trained?.judge?.critic.spec },
    arrays,
  };
}

function baseMeta(base: BaseModel): Record<string, unknown> {
  switch (base.kind) {
    case 'zero':
      return { kind: base.kind };
    case 'random':
      return { kind: base.kind, seed: base.seed };
    case 'chunk':
      return { kind: base.kind, spec: base.spec };
    case 'onnx':
      return { kind: base.kind, label: base.label, execute: base.execute };
    case 'remote':
      return { ...base };
    default:
      return base satisfies never;
  }
}

/** observation [1,O] -> actions [1,H*A], all in the task's units. */
function chunkOnnx(base: Extract<BaseModel, { kind: 'chunk' }>): Uint8Array {
  const { spec, network, normaliser } = base;
  const observation = input('observation', [1, spec.O]);
  const actions = chunkActions(network, observation, normaliser, spec.chunk);
  return exportOnnx({ name: 'base', outputs: { actions } });
}

/** observation [1,O], phase [1,1], base [1,A], scale [1] -> residual [1,A], normalised: executed action = clip(base +
 * actionHalf * residual, -1, 1). */
function actorOnnx(trained: TrainedActor, normaliser: Normaliser): Uint8Array {
  const { O, A } = trained.actor.spec;
  const situation = {
    observation: input('observation', [1, O]),
    phase: input('phase', [1, 1]),
    base: input('base', [1, A]),
  };
  const residual = greedyResidual(
    trained,
    normaliseSituation(situation, normaliser),
    normaliser,
    input('scale', [1]),
  );
  return exportOnnx({ name: 'residual', outputs: { residual } });
}

/** What the loading side has; left out where there is nothing to compare with (inspection). */
export interface BundleExpectation {
  readonly taskHash?: string;
  readonly robotHash?: string;
  readonly controlPeriod?: number;
  readonly observationFields?: BundleHeader['observationFields'];
  readonly actionNames?: readonly string[];
}

/** Reads a bundle and refuses what does not match.
 * @throws VernierError CHECKPOINT: torn, foreign, or made for another task, robot, rate, observation or action */
export function loadBundle(path: string, expected: BundleExpectation = {}): PolicyBundle {
  const options = { kind: KIND, version: VERSION, code: 'CHECKPOINT', label: path } as const;
  const container = decodeContainer(readFileBytes(path), options);
  const meta = container.meta as unknown as BundleHeader & {
    O: number;
    A: number;
    scale: number;
    base: { kind: BaseModel['kind']; seed?: number; spec?: ChunkSpec; label?: string; execute?: number };
    actor?: ActorSpec;
    judge?: CriticSpec;
  };
  checkBundle(meta, expected, path);
  const f32 = (name: string): Float32Array => containerArray(container, name, 'f32', [-1], options);
  const normaliser = (prefix: string): Normaliser =>
    Object.fromEntries(NORMALISER.map((name) => [name, f32(`${prefix}.${name}`)])) as unknown as Normaliser;
  const fill = (block: ParameterBlock, name: string): void => {
    const values = f32(name);
    if (values.length !== block.values.length)
      throw new VernierError(
        'CHECKPOINT',
        `${path}: ${name} has ${values.length} numbers, the network it names has ${block.values.length}`,
      );
    block.values.set(values);
  };
  const { base, actor: actorSpec, judge: criticSpec, ...header } = meta;
  return {
    ...header,
    base: readBase(),
    normaliser: normaliser('normaliser'),
    trained: actorSpec && readActor(actorSpec),
  };

  function readBase(): BaseModel {
    switch (base.kind) {
      case 'zero':
        return { kind: 'zero' };
      case 'random':
        return { kind: 'random', seed: base.seed! };
      case 'chunk': {
        const network = chunkNetwork(base.spec!, new PhiloxStream(0));
        fill(network.block, 'base.values');
        return { kind: 'chunk', spec: base.spec!, network, normaliser: normaliser('base.normaliser') };
      }
      case 'onnx': {
        const model = containerArray(container, 'base.onnx', 'u8', [-1], options);
        const execute = base.execute === undefined ? {} : { execute: base.execute };
        return { kind: 'onnx', model, label: base.label!, ...execute };
      }
      case 'remote':
        return base as unknown as RemoteModel;
      default:
        return base.kind satisfies never;
    }
  }

  function readActor(spec: ActorSpec): TrainedActor {
    const actor = actorNetwork(spec, new PhiloxStream(0));
    fill(actor.block, 'actor.values');
    if (!criticSpec) return { actor };
    const critic = criticNetwork(criticSpec, new PhiloxStream(0));
    fill(critic.block, 'judge.values');
    return { actor, judge: { critic, block: critic.block } };
  }
}

/** @throws CHECKPOINT naming what a bundle was made for, and what is here */
export function checkBundle(meta: BundleHeader, expected: BundleExpectation, path: string): void {
  const keys = ['robotHash', 'taskHash', 'controlPeriod', 'observationFields', 'actionNames'] as const;
  for (const key of keys) {
    if (expected[key] === undefined) continue;
    const [found, wanted] = [JSON.stringify(meta[key]), JSON.stringify(expected[key])];
    if (found === wanted) continue;
    throw new VernierError(
      'CHECKPOINT',
      `${path}: made for another ${LABELS[key]}: the bundle says ${found}, here it is ${wanted}`,
      {
        hint: 'train again, or load the bundle with the task and robot files it was made with',
        context: { key },
      },
    );
  }
}

const LABELS = {
  robotHash: 'robot',
  taskHash: 'version of the task',
  controlPeriod: 'control period',
  observationFields: 'observation',
  actionNames: 'action',
} as const;

/** The policy of a bundle for B rows. With scale 0, or shipped without an actor, it is the base, exactly. */
export async function makePolicy(
  bundle: PolicyBundle,
  B: number,
  options?: CompileOptions,
): Promise<BasePolicy | ResidualPolicy> {
  const { O, A, scale, trained, normaliser } = bundle;
  const base = await makeBase(bundle.base, { B, O, A }, options);
  if (!trained || scale === 0) return base;
  return new ResidualPolicy(base, trained, normaliser, scale, options);
}
