import { type ErrorCode, VernierError } from '#core/errors';
import type { ModelNames, ModelSource } from '#core/model';
import { requireAddon } from '#native/addon';
import { allocateBuffers, BufferedBatch } from '#native/buffers';
import type {
  BatchBuffers,
  DrivenScene,
  EnvFault,
  EnvScene,
  PhysicsBatch,
  ResetOptions,
  SensedScene,
} from '#native/physicsBatch';
import type { PhysicsSpec } from '#native/physicsSpec';

/** The addon's physics; native/binding/physics has the other side. */
interface NativePhysics {
  readonly PhysicsBatch: new (
    source: NativeSource,
    spec: PhysicsSpec,
    buffers: BatchBuffers,
  ) => NativePhysicsBatch;
  readonly modelNames: (source: NativeSource) => ModelNames;
  readonly mujocoVersion: string;
}

interface NativeSource {
  readonly xml: string;
  readonly files: Readonly<Record<string, Uint8Array>>;
}

interface NativePhysicsBatch {
  readonly threads: number;
  readonly seed: number;
  readonly firstEnvironment: number;
  reset(seed: number, episode: number, firstEnvironment: number): EnvFault[] | null;
  step(): EnvFault[] | null;
  stepAsync(): Promise<EnvFault[] | null>;
  getState(): Uint8Array;
  setState(state: Uint8Array): void;
  getEnvironment(environment: number): Uint8Array;
  setEnvironment(environment: number, state: Uint8Array): void;
  read(environment: number): EnvScene;
  readonly commandLength: number;
  sense(scene: SensedScene, begins: boolean): void;
  command(out: Float64Array): void;
  frameAt(qpos: Float64Array, kind: number, id: number, out: Float64Array): void;
  drive(references: Float64Array, velocities: Float64Array, judged: boolean, out: DrivenScene): void;
  close(): void;
}

const NO_FAULTS: readonly EnvFault[] = [];

function physics(): NativePhysics {
  const addon = requireAddon();
  if (addon.PhysicsBatch !== undefined) return addon as unknown as NativePhysics;
  throw new VernierError('BACKEND', 'the native addon was built without MuJoCo', {
    hint: 'npm run build, with pip and network access, or with MUJOCO_PATH set; or use the wasm backend',
  });
}

/** Version of the MuJoCo library in use. @throws BACKEND */
export function nativeMujocoVersion(): string {
  return physics().mujocoVersion;
}

/** @throws BACKEND, PHYSICS when MuJoCo refuses the model */
export function nativeModelNames(source: ModelSource): ModelNames {
  return coded(() => physics().modelNames(toNative(source)));
}

/** @throws BACKEND, PHYSICS, SHAPE, EXPRESSION */
export function createNativeBatch(spec: PhysicsSpec): PhysicsBatch {
  return new NativeBatch(spec);
}

function toNative(source: ModelSource): NativeSource {
  return { xml: source.xml, files: Object.fromEntries(source.files) };
}

/** Turns the addon's coded errors into VernierErrors. */
function coded<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw translated(error);
  }
}

function translated(error: unknown): unknown {
  const code = (error as { code?: unknown }).code;
  if (!(error instanceof Error) || typeof code !== 'string' || code === 'NATIVE') return error;
  return new VernierError(code as ErrorCode, error.message, { cause: error });
}

class NativeBatch extends BufferedBatch implements PhysicsBatch {
  readonly backend = 'native';
  readonly threads: number;
  readonly commandLength: number;
  readonly #native: NativePhysicsBatch;
  #faults: readonly EnvFault[] = NO_FAULTS;

  constructor(spec: PhysicsSpec) {
    const buffers = allocateBuffers(spec);
    super(spec, buffers);
    this.#native = coded(() => new (physics().PhysicsBatch)(toNative(spec.model), spec, buffers));
    this.threads = this.#native.threads;
    this.commandLength = this.#native.commandLength;
  }

  get faults(): readonly EnvFault[] {
    return this.#faults;
  }

  reset(options: ResetOptions = {}): void {
    coded(() => {
      const seed = options.seed ?? this.#native.seed;
      const first = options.firstEnvironment ?? this.#native.firstEnvironment;
      this.#faults = this.#native.reset(seed >>> 0, (options.episode ?? 0) >>> 0, first >>> 0) ?? NO_FAULTS;
    });
  }

  step(): void {
    try {
      this.#faults = this.#native.step() ?? NO_FAULTS;
    } catch (error) {
      throw translated(error);
    }
  }

  async stepAsync(): Promise<void> {
    try {
      this.#faults = (await this.#native.stepAsync()) ?? NO_FAULTS;
    } catch (error) {
      throw translated(error);
    }
  }

  getState(): Uint8Array {
    return coded(() => this.#native.getState());
  }

  setState(state: Uint8Array): void {
    coded(() => this.#native.setState(state));
    this.#faults = NO_FAULTS;
  }

  getEnvironment(environment: number): Uint8Array {
    return coded(() => this.#native.getEnvironment(environment));
  }

  setEnvironment(environment: number, state: Uint8Array): void {
    coded(() => this.#native.setEnvironment(environment, state));
  }

  readCopy(environment: number): EnvScene {
    return coded(() => this.#native.read(environment));
  }

  sense(scene: SensedScene, begins: boolean): void {
    coded(() => this.#native.sense(scene, begins));
    this.#faults = NO_FAULTS;
  }

  command(outCommand: Float64Array): void {
    coded(() => this.#native.command(outCommand));
  }

  frameAt(qpos: Float64Array, kind: number, id: number, outPose: Float64Array): void {
    coded(() => this.#native.frameAt(qpos, kind, id, outPose));
  }

  drive(references: Float64Array, velocities: Float64Array, judged: boolean, outScene: DrivenScene): void {
    coded(() => this.#native.drive(references, velocities, judged, outScene));
  }

  close(): void {
    coded(() => this.#native.close());
  }
}
