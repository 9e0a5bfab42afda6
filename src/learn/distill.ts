import { Draws } from '#core/draws';
import { VernierError } from '#core/errors';
import { PhiloxStream } from '#core/philox';
import { type Evaluation, evaluate, evaluatePair, SELECTION_SEED, unlessStopped } from '#learn/evaluate';
import { type Score, scoreOf } from '#learn/events';
import { PpoAgent, Rollout } from '#learn/ppo';
import type { LearnEnv, Problem } from '#learn/problem';
import type { PairedComparison } from '#learn/statistics';
import type { CompileOptions } from '#nn/compile';
import { type BaseModel, makeBase, makePolicy, type PolicyBundle } from '#policy/bundle';
import { type ChunkSpec, chunkNetwork } from '#policy/chunkPolicy';
import type { Network } from '#policy/networks';
import type { Normaliser } from '#policy/normaliser';
import type { Policy } from '#policy/policy';
import type { DistillSpec } from '#spec/distillSchema';
import type { EvaluationSpec } from '#spec/learningSchema';

/** One small network in the place of base and residual, or of a policy server: trained on the states it comes to itself. */

export interface DistillOptions {
  readonly problem: Problem;
  readonly teacher: PolicyBundle;
  readonly settings: DistillSpec;
  readonly evaluation: EvaluationSpec;
  readonly threads?: number | undefined;
  readonly compile: CompileOptions;
  readonly report: (progress: DistillProgress) => void;
  readonly signal: AbortSignal;
}

export interface DistillProgress {
  readonly environmentSteps: number;
  readonly total: number;
  /** Mean squared distance to the teacher's actions, normalised, on the student's states. */
  readonly teacherLoss: number;
  /** Of the student without exploration; undefined between evaluations. */
  readonly score: Score | undefined;
}

export interface Distilled {
  /** The student as a policy bundle: a base that decides one action at a time, and no residual. */
  readonly student: PolicyBundle;
  readonly scores: { readonly teacher: Score; readonly student: Score };
  /** Teacher against student on the same starts, first = teacher. */
  readonly paired: PairedComparison;
  /** Numbers in the networks; undefined for a teacher that is not ours. */
  readonly parameters: { readonly teacher: number | undefined; readonly student: number };
  /** Microseconds of a decision for one robot, the median: of chunk and residual where the teacher has them. */
  readonly latency: { readonly teacher: number; readonly student: number };
}

/** Streams of random numbers beside those of other learners. */
const STREAMS = { initial: 0x4453, explore: 0x4454, shuffle: 0x4455, mix: 0x4456 } as const;
const LATENCY_CALLS = 400;

/** Trains a student of the teacher's actions and of the task's reward, by PPO with a teacher's term, and compares the two in pairs.
 * In its first part (`imitate`) the student only imitates, and the teacher takes a share of the steps that falls from 1 to 0.
 * @returns undefined where the signal stopped it
 * @source RPD: Jülg et al. 2025, arXiv:2503.05833; DAgger's mixture: Ross, Gordon, Bagnell 2011, alg. 3.1; differs: imitation
 * alone at first, since PPO's gradient is noise until there are values; states in the place of images; the best student by
 * evaluation is kept */
export async function distill(options: DistillOptions): Promise<Distilled | undefined> {
  const { problem, teacher, settings, evaluation, threads, compile } = options;
  const common = threads === undefined ? {} : { threads };
  const env = await problem.makeEnv({ environments: settings.environments, seed: settings.seed, ...common });
  const rows = Math.min(evaluation.environments, evaluation.episodes);
  const judged = await problem.makeEnv({ environments: rows, seed: evaluation.seed, ...common });
  const guide = await makePolicy(teacher, env.B, compile);
  const student = new Student(problem, settings, teacher.normaliser, env.B, compile);
  try {
    const best = await train(options, { env, judged, guide, student });
    return best && (await compare(options, student.model(best), judged));
  } finally {
    for (const one of [env, judged, guide, student]) one.close();
  }
}

interface Parts {
  readonly env: LearnEnv;
  readonly judged: LearnEnv;
  readonly guide: Policy;
  readonly student: Student;
}

/** The best parameters by the evaluations on the way; undefined where stopped. */
async function train(options: DistillOptions, parts: Parts): Promise<Float32Array | undefined> {
  const { settings, evaluation, signal, report, compile, problem } = options;
  const { env, judged, guide, student } = parts;
  const acting = await makeBase(student.model(), { B: judged.B, O: problem.O, A: problem.A }, compile);
  let best: { readonly successes: number; readonly values: Float32Array } | undefined;
  const selection = {
    episodes: settings.evaluate_episodes,
    seed: evaluation.seed + SELECTION_SEED,
    signal,
  };
  try {
    env.reset({ seed: settings.seed });
    guide.reset();
    let next = settings.evaluate_every;
    for (let steps = 0; steps < settings.steps; ) {
      const teacherLoss = await student.round(env, guide, steps);
      steps += settings.rollout * env.B;
      let score: Evaluation | undefined;
      if (steps >= next || steps >= settings.steps) {
        next += settings.evaluate_every;
        student.synchronise();
        score = await unlessStopped(evaluate(judged, acting, selection), signal);
        if (!score) return undefined;
        if (best === undefined || score.successes >= best.successes)
          best = { successes: score.successes, values: student.values() };
      }
      report({ environmentSteps: steps, total: settings.steps, teacherLoss, score: score && scoreOf(score) });
      await new Promise((resume) => setImmediate(resume));
      if (signal.aborted) return undefined;
    }
    return best?.values;
  } finally {
    acting.close();
  }
}

/** A network from observations to actions with its trainer; everything in normalised units inside. */
class Student {
  readonly #settings: DistillSpec;
  readonly #normaliser: Normaliser;
  readonly #spec: ChunkSpec;
  readonly #network: Network;
  readonly #agent: PpoAgent;
  readonly #rollout: Rollout;
  readonly #draws: { readonly explore: Draws; readonly shuffle: Draws; readonly mix: Draws };
  readonly #observation: Float32Array;
  readonly #taught: Float32Array;
  readonly #coins: Float32Array;
  readonly #done: Uint8Array;

  constructor(
    { O, A }: Problem,
    settings: DistillSpec,
    normaliser: Normaliser,
    B: number,
    compile: CompileOptions,
  ) {
    const { seed, hidden } = settings;
    const shape = { O, A, B };
    const fixed = { activation: 'relu', value_clip: 0, entropy: 0, target_kl: 0, teacher: true } as const;
    this.#settings = settings;
    this.#normaliser = normaliser;
    this.#spec = { O, A, chunk: 1, execute: 1, hidden };
    this.#network = chunkNetwork(this.#spec, new PhiloxStream(seed, STREAMS.initial));
    const rng = new PhiloxStream(seed, STREAMS.initial);
    this.#agent = new PpoAgent(shape, { ...settings, ...fixed }, rng, compile);
    this.#rollout = new Rollout(settings.rollout, shape);
    this.#draws = {
      explore: new Draws(seed, STREAMS.explore),
      shuffle: new Draws(seed, STREAMS.shuffle),
      mix: new Draws(seed, STREAMS.mix),
    };
    this.#observation = new Float32Array(B * O);
    this.#taught = new Float32Array(B * A);
    this.#coins = new Float32Array(B);
    this.#done = new Uint8Array(B);
  }

  /** A rollout and what is learned from it. @returns the mean squared distance to the teacher */
  async round(env: LearnEnv, guide: Policy, steps: number): Promise<number> {
    const { settings, rollout } = { settings: this.#settings, rollout: this.#rollout };
    const imitated = settings.imitate * settings.steps;
    const imitates = steps < imitated;
    const byTeacher = imitates ? 1 - steps / imitated : 0;
    for (let t = 0; t < rollout.T; t++) await this.#step(env, guide, t, byTeacher);
    rollout.lastValue.set(this.#agent.values(this.#normalised(env.observation)));
    const weights = { reinforce: imitates ? 0 : settings.reinforce, teacher: settings.teacher };
    const { teacherLoss } = this.#agent.update(
      rollout,
      this.#draws.shuffle,
      Math.max(0.05, 1 - steps / settings.steps),
      weights,
    );
    return teacherLoss!;
  }

  async #step(env: LearnEnv, guide: Policy, t: number, byTeacher: number): Promise<void> {
    const agent = this.#agent;
    const rollout = this.#rollout;
    const { B, O, A } = rollout;
    const { actionHalf: half, actionCenter: center } = this.#normaliser;
    const acted = guide.act(env.observation, this.#taught);
    if (acted) await acted;
    agent.act(this.#normalised(env.observation), this.#draws.explore);
    rollout.observation.set(this.#observation, t * B * O);
    rollout.action.set(agent.action, t * B * A);
    rollout.logProbability.set(agent.logProbability, t * B);
    rollout.value.set(agent.value, t * B);
    this.#draws.mix.uniforms(this.#coins);
    for (let i = 0; i < B * A; i++) {
      const [h, c] = [half[i % A]!, center[i % A]!];
      rollout.teacher[t * B * A + i] = (this.#taught[i]! - c) / h;
      const own = Math.min(1, Math.max(-1, c + h * agent.action[i]!));
      env.action[i] = this.#coins[Math.floor(i / A)]! < byTeacher ? this.#taught[i]! : own;
    }
    env.step();
    this.#score(env, guide, t);
  }

  #score(env: LearnEnv, guide: Policy, t: number): void {
    const rollout = this.#rollout;
    const { B } = rollout;
    rollout.reward.set(env.reward, t * B);
    rollout.terminated.set(env.terminated, t * B);
    rollout.truncated.set(env.truncated, t * B);
    if (env.truncated.includes(1))
      rollout.following.set(this.#agent.values(this.#normalised(env.finalObservation)), t * B);
    for (let row = 0; row < B; row++)
      this.#done[row] = env.terminated[row] === 1 || env.truncated[row] === 1 ? 1 : 0;
    if (this.#done.includes(1)) guide.reset(this.#done);
  }

  /** Overwritten by the next call. */
  #normalised(observation: Float32Array): Float32Array {
    const { observationMean: mean, observationStd: std } = this.#normaliser;
    const O = mean.length;
    for (let i = 0; i < observation.length; i++)
      this.#observation[i] = (observation[i]! - mean[i % O]!) / std[i % O]!;
    return this.#observation;
  }

  /** Puts what was learned into the network of `model`. */
  synchronise(): void {
    const { policy } = this.#agent.networks;
    for (let layer = 0; layer <= this.#spec.hidden.length; layer++)
      for (const part of ['weight', 'bias'])
        this.#network.block.view(`base.${layer}.${part}`).set(policy.view(`actor.${layer}.${part}`));
  }

  values(): Float32Array {
    return this.#network.block.values.slice();
  }

  /** The student as a base. Its network is this one's own: `synchronise` changes it. */
  model(values?: Float32Array): Extract<BaseModel, { kind: 'chunk' }> {
    if (values) this.#network.block.values.set(values);
    return { kind: 'chunk', spec: this.#spec, network: this.#network, normaliser: this.#normaliser };
  }

  close(): void {
    this.#agent.close();
  }
}

async function compare(
  options: DistillOptions,
  model: Extract<BaseModel, { kind: 'chunk' }>,
  judged: LearnEnv,
): Promise<Distilled | undefined> {
  const { teacher, evaluation, compile, signal } = options;
  const { episodes, seed } = evaluation;
  const shape = { O: judged.O, A: judged.A };
  const [known, learned] = [
    await makePolicy(teacher, judged.B, compile),
    await makeBase(model, { B: judged.B, ...shape }, compile),
  ];
  const [one, small] = [
    await makePolicy(teacher, 1, compile),
    await makeBase(model, { B: 1, ...shape }, compile),
  ];
  try {
    const pair = await unlessStopped(
      evaluatePair(judged, known, learned, { episodes, seed, signal }),
      signal,
    );
    if (!pair) return undefined;
    const scores = { teacher: scoreOf(pair.base), student: scoreOf(pair.policy) };
    const { base: _, trained: __, ...header } = teacher;
    const made = { distilled: true, teacher: teacher.made, base: scores.student, policy: scores.student };
    return {
      student: { ...header, base: model, trained: undefined, scale: 0, made },
      scores,
      paired: pair.paired,
      parameters: { teacher: parametersOf(teacher), student: model.network.block.values.length },
      latency: await latencyOf(one, small, judged),
    };
  } finally {
    for (const policy of [known, learned, one, small]) policy.close();
  }
}

/** Interleaved, so that both meet the same load. */
async function latencyOf(teacher: Policy, student: Policy, { O, A, observation }: LearnEnv) {
  const seen = observation.slice(0, O);
  const action = new Float32Array(A);
  const times = { teacher: new Float64Array(LATENCY_CALLS), student: new Float64Array(LATENCY_CALLS) };
  const policies = { teacher, student };
  for (let call = 0; call < LATENCY_CALLS; call++)
    for (const name of ['teacher', 'student'] as const) {
      const started = performance.now();
      // From a new episode on, so that a policy of chunks decides one.
      policies[name].reset();
      const acted = policies[name].act(seen, action);
      if (acted) await acted;
      times[name][call] = 1000 * (performance.now() - started);
    }
  const median = (all: Float64Array): number => all.sort()[LATENCY_CALLS / 2]!;
  return { teacher: median(times.teacher), student: median(times.student) };
}

function parametersOf({ base, trained, scale }: PolicyBundle): number | undefined {
  if (base.kind === 'onnx' || base.kind === 'remote') return undefined;
  const own = base.kind === 'chunk' ? base.network.block.values.length : 0;
  if (!trained || scale === 0) return own;
  return own + trained.actor.block.values.length + (trained.judge?.block.values.length ?? 0);
}

/** @throws USAGE where the bundle is a student of itself: nothing is left to be made smaller */
export function requireTeacher({ made, task }: PolicyBundle): void {
  if (made['distilled'] !== true) return;
  throw new VernierError('USAGE', `this policy of ${task} is a student already`, {
    hint: 'name the run or the bundle it was distilled from',
  });
}
