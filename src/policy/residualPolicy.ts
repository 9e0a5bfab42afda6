import { type CompileOptions, compile, inputOf, outputOf, type Program } from '#nn/compile';
import { input } from '#nn/graph';
import { compose } from '#policy/compose';
import { greedyResidual, normaliseSituation, type TrainedActor } from '#policy/networks';
import type { Normaliser } from '#policy/normaliser';
import type { BasePolicy, Policy } from '#policy/policy';

/** A base and what was learned on top of it, acting without exploration. */
export class ResidualPolicy implements Policy {
  readonly B: number;
  readonly O: number;
  readonly A: number;
  /** [B,A] the base's last action */
  readonly baseAction: Float32Array;
  /** [B,A] what was added to it, normalised, before clipping */
  readonly residual: Float32Array;
  readonly base: BasePolicy;
  readonly #program: Program;
  readonly #half: Float32Array;

  constructor(
    base: BasePolicy,
    actor: TrainedActor,
    normaliser: Normaliser,
    scale: number,
    options?: CompileOptions,
  ) {
    const { B, O, A } = base;
    this.B = B;
    this.O = O;
    this.A = A;
    this.base = base;
    this.baseAction = new Float32Array(B * A);
    this.#half = normaliser.actionHalf;
    this.#program = compileGreedy(B, actor, normaliser, options);
    inputOf(this.#program, 'scale')[0] = scale;
    this.residual = outputOf(this.#program, 'residual');
  }

  /** The residual's scale; 0 makes this the base alone, exactly. */
  set scale(value: number) {
    inputOf(this.#program, 'scale')[0] = value;
  }

  reset(mask?: Uint8Array): void {
    this.base.reset(mask);
  }

  act(observation: Float32Array, outAction: Float32Array, mask?: Uint8Array): void | Promise<void> {
    const pending = this.base.act(observation, this.baseAction, mask);
    if (pending) return pending.then(() => this.#correct(observation, outAction, mask));
    this.#correct(observation, outAction, mask);
  }

  #correct(observation: Float32Array, outAction: Float32Array, mask: Uint8Array | undefined): void {
    // An actor that is deaf to the base or to its phase has no such input.
    const { inputs } = this.#program;
    inputs['observation']?.set(observation);
    inputs['phase']?.set(this.base.phase);
    inputs['base']?.set(this.baseAction);
    this.#program.run();
    compose(this.baseAction, this.residual, this.#half, outAction, mask);
  }

  /** Closes the actor and the base. */
  close(): void {
    this.#program.close();
    this.base.close();
  }
}

/** Inputs observation [B,O], phase [B,1], base [B,A], scale [1]; output residual [B,A]. */
export function compileGreedy(
  B: number,
  actor: TrainedActor,
  normaliser: Normaliser,
  options?: CompileOptions,
): Program {
  const { O, A } = actor.actor.spec;
  const situation = {
    observation: input('observation', [B, O]),
    phase: input('phase', [B, 1]),
    base: input('base', [B, A]),
  };
  const residual = greedyResidual(
    actor,
    normaliseSituation(situation, normaliser),
    normaliser,
    input('scale', [1]),
  );
  return compile({ name: 'act', outputs: { residual } }, options);
}
