import { VernierError } from '#core/errors';
import { addonStatus, requireAddon } from '#native/addon';
import { lower } from '#nn/lowering/lower';
import {
  type InputBuffer,
  notFinite,
  type OutputBuffer,
  type Program,
  type ProgramDescription,
} from '#nn/program';

/** A program run by the addon: one native call per run. */

interface EngineProgram {
  run(): number;
  runAsync(): Promise<number>;
  close(): void;
  readonly busy: boolean;
}

interface EngineAddon {
  readonly EngineProgram: new (
    code: Float64Array,
    buffers: readonly (Float32Array | Int32Array)[],
    threads: number,
  ) => EngineProgram;
  readonly engineInstructionSet: string;
  readonly engineFmaPeak: (milliseconds: number) => number;
}

export function hasNativeEngine(): boolean {
  return addonStatus().addon?.['EngineProgram'] !== undefined;
}

/** @throws BACKEND with the line that builds the addon */
export function engineAddon(): EngineAddon {
  return requireAddon() as unknown as EngineAddon;
}

/** Rethrows an error of the addon, which carries its code, as a VernierError. */
function translated(name: string, error: unknown): VernierError {
  const { code, message } = error as { readonly code?: string; readonly message: string };
  const known = code === 'PLAN' || code === 'STATE' || code === 'SHAPE' ? code : 'BACKEND';
  return new VernierError(known, `program ${name}: ${message}`, { cause: error });
}

class NativeProgram implements Program {
  readonly backend = 'native';
  readonly name: string;
  readonly inputs: Readonly<Record<string, InputBuffer>>;
  readonly outputs: Readonly<Record<string, OutputBuffer>>;
  readonly #engine: EngineProgram;
  readonly #updates: readonly string[];

  constructor(description: ProgramDescription, threads: number) {
    const lowered = lower(description);
    this.name = description.name;
    this.inputs = lowered.inputs;
    this.outputs = lowered.outputs;
    this.#updates = lowered.updates.map((update) => update.block.name);
    try {
      this.#engine = new (engineAddon().EngineProgram)(lowered.code, lowered.buffers, threads);
    } catch (error) {
      throw translated(this.name, error);
    }
  }

  get busy(): boolean {
    return this.#engine.busy;
  }

  run(): void {
    let status: number;
    try {
      status = this.#engine.run();
    } catch (error) {
      throw translated(this.name, error);
    }
    if (status >= 0) throw this.#failure(status);
  }

  async runAsync(): Promise<void> {
    let status: number;
    try {
      status = await this.#engine.runAsync();
    } catch (error) {
      throw translated(this.name, error);
    }
    if (status >= 0) throw this.#failure(status);
  }

  close(): void {
    try {
      this.#engine.close();
    } catch (error) {
      throw translated(this.name, error);
    }
  }

  #failure(status: number): VernierError {
    const block = this.#updates[status];
    if (block !== undefined) return notFinite(this.name, `the gradient norm of ${block}`, Number.NaN);
    const [name, values] = Object.entries(this.outputs)[status - this.#updates.length]!;
    const at = values.findIndex((value) => !Number.isFinite(value));
    return notFinite(this.name, `output ${name}[${at}]`, values[at] ?? Number.NaN);
  }
}

export function compileNative(description: ProgramDescription, threads: number): Program {
  return new NativeProgram(description, threads);
}
