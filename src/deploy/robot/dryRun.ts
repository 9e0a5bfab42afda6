import { VernierError } from '#core/errors';
import { readMcapMessages } from '#data/mcap';
import { ControlLoop, type ControlTick } from '#deploy/robot/controlLoop';
import type { Deployment } from '#deploy/robot/deployment';
import { Inputs, inputLength } from '#deploy/robot/inputs';
import { RobotTwin } from '#deploy/robot/robotTwin';
import { SharedBoard } from '#deploy/robot/sharedBoard';
import { sourcesOf } from '#deploy/robot/sources';
import { verdictText } from '#deploy/safety/verdict';
import { loadBundle, makePolicy } from '#policy/bundle';
import type { ResolvedTask } from '#spec/resolved';

/** One policy step of a recording. */
export interface DryTick {
  /** Seconds since the first message. */
  readonly time: number;
  /** From 1. */
  readonly episode: number;
  readonly step: number;
  readonly observation: readonly number[];
  readonly action: readonly number[];
  /** [joints] where the arm would be told to be at the end of the step; none where it would be told to stop. */
  readonly target: readonly number[] | undefined;
  /** Control of the model. */
  readonly gripper: number | undefined;
  /** `pass`, `limit: velocity`, `stop: stale`, ... */
  readonly verdict: string;
  /** Of the guards of the task by name; true: violated. */
  readonly guards: Readonly<Record<string, boolean>>;
  /** Bounds of the robustness of the task's formula. */
  readonly robustness: readonly [number, number] | undefined;
  /** Why the episode ends, from when that is known until the arm would rest. */
  readonly ended: string | undefined;
}

export interface DryRunOptions {
  readonly task: ResolvedTask;
  readonly deployment: Deployment;
  /** Path of the bundle. */
  readonly bundle: string;
  /** Path of an MCAP file. */
  readonly bag: string;
}

/** Replays a recording against a policy: what would be commanded, step by step, at the times of the recording. The arm in
 * it does what it did, so that nothing moves it to a start, and it need not follow.
 * @throws DATA when the recording is torn, or has not what the policy senses */
export async function* dryRun({
  task,
  deployment: own,
  bundle,
  bag,
}: DryRunOptions): AsyncGenerator<DryTick> {
  const { spec } = own;
  const deployment: Deployment = {
    ...own,
    spec: {
      ...spec,
      start: { ...spec.start, pose: 'any' },
      limits: { ...spec.limits, following: Number.POSITIVE_INFINITY },
    },
  };
  const loaded = loadBundle(bundle);
  const policy = await makePolicy({ ...loaded, scale: 1 }, 1);
  const twin = await RobotTwin.create(task, deployment);
  const replay = new Replay(task, deployment, twin, new ControlLoop(task, deployment, twin, policy), {
    residualScale: spec.residual_scale ?? loaded.scale,
    speedScale: spec.speed_scale,
    emergencyStop: false,
  });
  try {
    yield* replay.run(bag);
  } finally {
    policy.close();
    twin.close();
  }
}

class Replay {
  readonly #task: ResolvedTask;
  readonly #deployment: Deployment;
  readonly #twin: RobotTwin;
  readonly #loop: ControlLoop;
  readonly #settings: Parameters<ControlLoop['tick']>[2];
  readonly #board: SharedBoard;
  readonly #inputs: Inputs;
  readonly #values: Float64Array;
  #episode = 0;

  constructor(
    task: ResolvedTask,
    deployment: Deployment,
    twin: RobotTwin,
    loop: ControlLoop,
    settings: Parameters<ControlLoop['tick']>[2],
  ) {
    this.#task = task;
    this.#deployment = deployment;
    this.#twin = twin;
    this.#loop = loop;
    this.#settings = settings;
    this.#board = new SharedBoard(inputLength(deployment));
    this.#inputs = new Inputs(deployment, this.#board);
    this.#values = new Float64Array(inputLength(deployment));
  }

  async *run(bag: string): AsyncGenerator<DryTick> {
    const sources = new Map(
      sourcesOf(this.#deployment, this.#inputs).map((source) => [source.topic, source]),
    );
    const messages = [...readMcapMessages(bag, (topic) => sources.has(topic))].sort((a, b) =>
      a.logTime < b.logTime ? -1 : a.logTime > b.logTime ? 1 : 0,
    );
    const period = 1000 * this.#deployment.period;
    const origin = messages[0]?.logTime ?? 0n;
    let next: number | undefined;
    let said = 0;
    for (const { channel, bytes, logTime } of messages) {
      const now = Number(logTime - origin) / 1e6;
      for (; next !== undefined && next <= now; next += period) {
        const tick = await this.#tick(next);
        if (tick) yield tick;
        said += tick ? 1 : 0;
      }
      const source = sources.get(channel.topic)!;
      if (
        channel.schema &&
        channel.schema.name !== source.type &&
        channel.schema.name !== short(source.type)
      ) {
        throw new VernierError(
          'DATA',
          `${bag}: ${channel.topic} has ${channel.schema.name}, expected ${source.type}`,
        );
      }
      source.take?.(bytes, now);
      if (next === undefined && this.#inputs.missing().length === 0) next = now;
    }
    if (said > 0) return;
    const why =
      messages.length === 0 ? `no message on ${[...sources.keys()].join(', ')}` : this.#inputs.missing();
    throw new VernierError(
      'DATA',
      `${bag}: nothing to act on: ${[why].flat().join('; ') || 'it is too short'}`,
      {
        hint: 'map the topics of the recording in a deployment file: --config',
      },
    );
  }

  async #tick(now: number): Promise<DryTick | undefined> {
    this.#board.read(this.#values);
    if (this.#loop.phase === 'idle') {
      if (this.#loop.begin(this.#values, now) !== undefined) return undefined;
      this.#episode++;
    }
    const tick = await this.#loop.tick(this.#values, now, this.#settings);
    return this.#described(now, tick);
  }

  #described(now: number, tick: ControlTick): DryTick {
    const { batch } = this.#twin;
    const guards = this.#task.monitors?.guards ?? [];
    const { robustness } = batch;
    return {
      time: now / 1000,
      episode: this.#episode,
      step: tick.step,
      observation: [...batch.observation],
      action: [...batch.action],
      target: tick.target && [...tick.target],
      gripper: tick.gripper,
      verdict: verdictOf(tick),
      guards: Object.fromEntries(guards.map(({ name }, g) => [name, batch.violated[g] === 1])),
      robustness: robustness.length === 2 ? [robustness[0]!, robustness[1]!] : undefined,
      ended: tick.ending?.reason,
    };
  }
}

/** What the filter makes of the step: its stop, else the first limit it sets on the way. */
function verdictOf({ problem, trajectory, verdict, phase, target }: ControlTick): string {
  if (problem !== undefined) return `stop: ${problem}`;
  if (phase === 'stop' || !target || !trajectory) return verdictText(verdict);
  const limits = trajectory.verdicts.entries().filter(([text]) => text !== 'pass');
  return limits[0]?.[0] ?? 'pass';
}

function short(type: string): string {
  return type.replace('/msg/', '/');
}
