import { type ActorCritic, greedyProgram } from '#learn/ppo';
import type { EpisodeView, FormulaEnv } from '#learn/tgpo/episodeView';
import { type CompileOptions, compile, inputOf, outputOf, type Program } from '#nn/compile';
import type { Policy } from '#policy/policy';

/** A learned policy with the view it was learned with, acting without exploration in one environment's rows. */
export class ViewPolicy implements Policy {
  readonly B: number;
  readonly O: number;
  readonly A: number;
  readonly #env: FormulaEnv;
  readonly #view: EpisodeView;
  readonly #program: Program;
  readonly #input: Float32Array;
  readonly #output: Float32Array;
  /** [B] 1 where an episode begins */
  readonly #fresh: Uint8Array;
  readonly #rows: Int32Array;

  /** @param env the environment whose observations `act` is given: the view reads its other buffers */
  constructor(env: FormulaEnv, view: EpisodeView, networks: ActorCritic, options: CompileOptions) {
    this.B = env.B;
    this.O = env.O;
    this.A = env.A;
    this.#env = env;
    this.#view = view;
    this.#program = compile(greedyProgram(networks, env.B), options);
    this.#input = inputOf(this.#program, 'observation');
    this.#output = outputOf(this.#program, 'action');
    this.#fresh = new Uint8Array(env.B).fill(1);
    this.#rows = new Int32Array(env.B);
  }

  reset(mask?: Uint8Array): void {
    for (let row = 0; row < this.B; row++) if (!mask || mask[row] === 1) this.#fresh[row] = 1;
  }

  act(_observation: Float32Array, outAction: Float32Array, mask?: Uint8Array): void {
    let fresh = 0;
    for (let row = 0; row < this.B; row++) {
      if (this.#env.active[row] === 0) continue;
      if (this.#fresh[row] === 1) this.#rows[fresh++] = row;
      else this.#view.advance(row);
      this.#fresh[row] = 0;
    }
    if (fresh > 0) this.#view.begin(this.#rows.subarray(0, fresh));
    this.#view.observe(this.#input);
    this.#program.run();
    for (let i = 0; i < outAction.length; i++)
      if (!mask || mask[Math.floor(i / this.A)] === 1)
        outAction[i] = Math.max(-1, Math.min(1, this.#output[i]!));
  }

  close(): void {
    this.#program.close();
  }
}
