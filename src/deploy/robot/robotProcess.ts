import { VernierError } from '#core/errors';
import { McapRecording } from '#data/mcapWriter';
import { controlMemory, type TimingStats } from '#deploy/robot/controlLink';
import { ControlThread } from '#deploy/robot/controlThread';
import type { Deployment } from '#deploy/robot/deployment';
import { Diagnostics, type Health, timingValues } from '#deploy/robot/diagnostics';
import { serveEmergencyStop } from '#deploy/robot/emergencyStop';
import type { EpisodeEnd } from '#deploy/robot/episode';
import { Inputs } from '#deploy/robot/inputs';
import { LifecycleNode, type Transition } from '#deploy/robot/lifecycle';
import { Outputs } from '#deploy/robot/outputs';
import { type Parameter, ParameterServer } from '#deploy/robot/parameters';
import { describeRest } from '#deploy/robot/restTimes';
import { monotonicMs } from '#deploy/robot/sharedBoard';
import { listen } from '#deploy/robot/sources';
import type { DeploySpec } from '#spec/deploySchema';
import { standardCodec, standardDefinitions } from '#transport/messages';
import type { Endpoint, RobotTransport } from '#transport/robotTransport';

/** What a configuration comes to. */
export interface Prepared {
  readonly deployment: Deployment;
  readonly robot: string;
  readonly task: string;
  readonly taskFile: string;
  readonly overrides: readonly string[];
  /** Path of the bundle. */
  readonly bundle: string;
}

export interface RobotProcessOptions {
  readonly spec: DeploySpec;
  readonly transport: RobotTransport;
  /** Loads and checks everything: what configure does first. @throws what is wrong */
  readonly prepare: () => Promise<Prepared>;
  /** For people. */
  readonly log: (line: string) => void;
}

const TRIGGER = 'std_srvs/srv/Trigger';
const WATCH_MS = 100;
/** An arm that was asked to stop has done so by then, ms. */
const STOP_MS = 5000;
/** An episode that was asked for has begun by then, ms. */
const START_MS = 5000;
/** What the worker says of inputs that came, but not lately; and how often it is asked then. */
const STALE = 'inputs: stale';
const BEGIN_TRIES = 10;
const POLL_MS = 20;
/** By how much clocks may differ where trajectories begin at absolute times, ms. */
const CLOCK_MS = 20;

/** A lifecycle node that runs a policy on a robot: this thread speaks, a worker controls. */
export class RobotProcess {
  readonly lifecycle: LifecycleNode;
  /** Episodes that ended, in order. */
  readonly results: EpisodeEnd[] = [];
  readonly #options: RobotProcessOptions;
  readonly #parameters: ParameterServer;
  readonly #endpoints: Endpoint[];
  readonly #diagnostics: Diagnostics;
  readonly #watch: NodeJS.Timeout;
  readonly #recording: McapRecording | undefined;
  readonly #endWaiters: ((end: EpisodeEnd | undefined) => void)[] = [];
  #configured: Configured | undefined;
  #emergencyStop = false;
  #residualScale: number | undefined;
  #speedScale: number;
  #stats: TimingStats | undefined;
  #last = { phase: 'idle', step: 0, verdict: 'pass' };
  #startWaiter: ((refusal: string | undefined) => void) | undefined;
  #lastError: unknown;
  #since = 0;
  #closing = false;

  constructor(options: RobotProcessOptions) {
    const { spec, transport } = options;
    this.#options = options;
    this.#residualScale = spec.residual_scale;
    this.#speedScale = spec.speed_scale;
    this.#recording =
      spec.record === undefined
        ? undefined
        : new McapRecording(spec.record, (error) => options.log(error.message));
    this.lifecycle = new LifecycleNode({
      configure: () => this.#configure(),
      activate: () => this.#activate(),
      deactivate: () => this.#deactivate(),
      cleanup: () => this.#cleanUp(),
      shutdown: () => this.#shutDown(),
      errorProcessing: () => this.#cleanUp(),
      onError: (error) => this.#onError(error),
      onState: (state) => options.log(`state: ${state}`),
    });
    this.lifecycle.serve(transport);
    this.#parameters = new ParameterServer(this.#parameterList(), (name, value) =>
      options.log(`${name} = ${value}`),
    );
    this.#parameters.serve(transport, (error) => this.#onError(error));
    this.#endpoints = serveEmergencyStop(spec.emergency_stop, transport, {
      onStop: (by) => this.#stopAtOnce(by),
      onReset: () => this.#resetStop(),
      onError: (error) => this.#onError(error),
    });
    this.#diagnostics = new Diagnostics(
      transport,
      'robot',
      () => this.health(),
      (topic, type, bytes) => this.#record(topic, type, bytes),
    );
    this.#watch = setInterval(() => this.#watchWorker(), WATCH_MS);
  }

  /** A transition; its error is thrown and not only told. */
  async change(transition: Transition): Promise<void> {
    this.#lastError = undefined;
    if (await this.lifecycle.change(transition)) return;
    throw (
      this.#lastError ??
      new VernierError('STATE', `the node is ${this.lifecycle.state}: it cannot ${transition} now`)
    );
  }

  /** Sets the scene up where there is a service for it, activates, and waits for the episode's end.
   * @returns undefined where the node was deactivated or failed meanwhile @throws what stands in the way */
  async runEpisode(): Promise<EpisodeEnd | undefined> {
    await this.#resetScene();
    const ended = new Promise<EpisodeEnd | undefined>((resolve) => this.#endWaiters.push(resolve));
    await this.change('activate');
    return ended;
  }

  /** Decelerates to rest and takes the node out of the graph. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#watch);
    if (this.lifecycle.state !== 'finalized') await this.lifecycle.change('shutdown');
    this.#diagnostics.close();
    this.#parameters.close();
    for (const endpoint of this.#endpoints) endpoint.close();
    this.lifecycle.close();
    await this.#recording?.close();
    await this.#options.transport.close();
  }

  /** How it is, as /diagnostics tells. */
  health(): Health {
    const { phase, step, verdict } = this.#last;
    const inputs = this.#configured?.inputs;
    const counts = this.#configured?.outputs.counts;
    const problem = this.#emergencyStop
      ? 'emergency stop'
      : verdict.startsWith('stop') || verdict.startsWith('hold')
        ? verdict
        : undefined;
    const missed = this.#stats?.missed ?? 0;
    return {
      level: problem ? 'error' : missed > 0 ? 'warn' : 'ok',
      message: problem ?? (missed > 0 ? `${missed} deadlines missed` : this.lifecycle.state),
      values: {
        state: this.lifecycle.state,
        phase,
        step,
        verdict,
        episodes: this.results.length,
        successes: this.results.filter(({ success }) => success).length,
        residual_scale: this.#residualScale ?? '',
        speed_scale: this.#speedScale,
        'joint states': inputs?.received ?? 0,
        ...Object.fromEntries(
          Object.entries(inputs?.rejected ?? {}).map(([reason, count]) => [`rejected: ${reason}`, count]),
        ),
        ...(counts
          ? { 'commands sent': counts.sent, 'commands late': counts.late, refused: counts.refused }
          : {}),
        ...timingValues(this.#stats),
      },
    };
  }

  async #configure(): Promise<void> {
    const prepared = await this.#options.prepare();
    const { deployment, taskFile, overrides, bundle } = prepared;
    const memory = controlMemory(deployment);
    const thread = await ControlThread.start(
      { deployment, taskFile, overrides, bundle },
      {
        onTick: (event, command) => {
          this.#last = event;
          this.#startWaiter?.(undefined);
          if (this.#configured?.thread === thread)
            this.#configured.outputs.send(command, () => thread.claim(command));
        },
        onEvent: (event) => {
          if (event.kind === 'stats') this.#stats = event.stats;
          else if (event.kind === 'refused') this.#startWaiter?.(event.reason);
          else this.#onEnd(event.end);
        },
        onDeath: (error) => void this.lifecycle.fail(error),
      },
      memory,
    );
    try {
      this.#residualScale = this.#checkedScale(this.#residualScale, thread);
      thread.setResidualScale(this.#residualScale);
      thread.setSpeedScale(this.#speedScale);
      thread.setEmergencyStop(this.#emergencyStop);
      const { transport } = this.#options;
      const inputs = new Inputs(deployment, memory.inputs);
      const record = (topic: string, type: string, bytes: Uint8Array): void =>
        this.#record(topic, type, bytes);
      const outputs = new Outputs(deployment, transport, record);
      const endpoints = listen(deployment, inputs, transport, (topic, type, { bytes, sentAt }) =>
        this.#record(topic, type, bytes, sentAt),
      );
      this.#configured = { prepared, thread, inputs, outputs, endpoints };
      this.#options.log(describeRest(thread.rest));
    } catch (error) {
      await thread.close();
      throw error;
    }
  }

  #checkedScale(wanted: number | undefined, { hasResidual, scale }: ControlThread): number {
    if (wanted === undefined) return scale;
    if (hasResidual || wanted === 0) return wanted;
    throw new VernierError('SPEC', `residual_scale is ${wanted}, but the bundle has no residual`, {
      hint: 'leave it out, or 0',
    });
  }

  async #activate(): Promise<void> {
    const { inputs, outputs, thread, prepared } = this.#configured!;
    const { spec, output } = prepared.deployment;
    if (this.#emergencyStop) {
      throw new VernierError('STATE', 'the emergency stop is latched', {
        hint: `call ${spec.emergency_stop.reset_service} when it is safe`,
      });
    }
    const since = Math.max(this.#since, monotonicMs() - 1000);
    await this.#until(
      () => inputs.missing(since).length === 0,
      () => inputs.missing(since).join('; '),
    );
    await this.#until(
      () => outputs.connected,
      () => `nobody listens on ${output}: is the controller running?`,
    );
    this.#checkClocks(inputs, spec);
    let refusal = await this.#begin(thread);
    // A machine that was busy for a moment has old inputs for a moment.
    for (let tries = 1; refusal === STALE && tries < BEGIN_TRIES; tries++)
      refusal = await this.#begin(thread);
    if (refusal !== undefined) throw new VernierError('STATE', `the episode cannot begin: ${refusal}`);
  }

  /** Asks the worker for an episode. @returns why there is none */
  async #begin(thread: ControlThread): Promise<string | undefined> {
    const started = new Promise<string | undefined>((resolve) => {
      this.#startWaiter = resolve;
    });
    thread.run();
    // Left running, it would keep the process alive after its end.
    const timer = setTimeout(() => this.#startWaiter?.('the control worker does not begin'), START_MS);
    const refusal = await started;
    clearTimeout(timer);
    this.#startWaiter = undefined;
    return refusal;
  }

  #checkClocks(inputs: Inputs, { output }: DeploySpec): void {
    const difference = inputs.clockDifference;
    if (output.stamp === 'zero' || output.kind === 'forward_position' || difference === undefined) return;
    if (Math.abs(difference) < CLOCK_MS) return;
    throw new VernierError(
      'STATE',
      `the robot's clock differs by ${(difference / 1000).toFixed(3)} s: trajectories would begin at the wrong time`,
      { hint: 'synchronise the clocks, or set output.stamp: zero in the deployment file' },
    );
  }

  async #deactivate(): Promise<void> {
    const { thread } = this.#configured!;
    thread.stop();
    const deadline = monotonicMs() + STOP_MS;
    while (thread.busy) {
      if (monotonicMs() > deadline) throw new Error(`the arm did not come to rest in ${STOP_MS} ms`);
      await sleep(POLL_MS);
    }
    this.#last = { ...this.#last, phase: 'idle' };
    this.#settleWaiters(undefined);
  }

  async #cleanUp(): Promise<void> {
    const configured = this.#configured;
    this.#configured = undefined;
    this.#last = { phase: 'idle', step: 0, verdict: 'pass' };
    this.#settleWaiters(undefined);
    if (!configured) return;
    for (const endpoint of configured.endpoints) endpoint.close();
    await configured.thread.close();
    configured.outputs.close();
  }

  async #shutDown(): Promise<void> {
    if (this.#configured?.thread.busy) await this.#deactivate();
    await this.#cleanUp();
  }

  /** The worker brought the arm to rest after an episode. */
  #onEnd(end: EpisodeEnd): void {
    this.results.push(end);
    this.#options.log(
      `episode ${this.results.length}: ${end.success ? 'success' : 'failure'}, ${end.reason}, after ${end.steps} steps`,
    );
    if (this.lifecycle.state !== 'active') {
      this.#settleWaiters(end);
      return;
    }
    // Of itself, so that an orchestrator sees that nothing is commanded any more.
    void this.lifecycle.change('deactivate').then(() => this.#settleWaiters(end));
  }

  #settleWaiters(end: EpisodeEnd | undefined): void {
    const last = end ?? this.results.at(-1);
    for (const resolve of this.#endWaiters.splice(0)) resolve(end ? last : undefined);
  }

  #stopAtOnce(by: string): void {
    if (!this.#emergencyStop) this.#options.log(`emergency stop by ${by}`);
    this.#emergencyStop = true;
    this.#configured?.thread.setEmergencyStop(true);
  }

  #resetStop(): string | undefined {
    if (this.#configured?.thread.busy) return 'the arm still moves';
    this.#emergencyStop = false;
    this.#configured?.thread.setEmergencyStop(false);
    this.#options.log('emergency stop reset');
    return undefined;
  }

  #watchWorker(): void {
    const thread = this.#configured?.thread;
    const silence = thread?.silence(monotonicMs()) ?? 0;
    if (!thread?.busy || silence === 0) return;
    void this.lifecycle.fail(
      new Error(
        `the control worker is silent for ${Math.round(silence)} ms; the last trajectory ends at rest`,
      ),
    );
  }

  async #resetScene(): Promise<void> {
    const { reset } = this.#options.spec.episode;
    if (reset === undefined) return;
    const client = this.#options.transport.client(reset, TRIGGER);
    const codec = standardCodec(`${TRIGGER}_Response`);
    try {
      const request = standardCodec(`${TRIGGER}_Request`).encode({});
      const timeout = 1000 * this.#options.spec.inputs_timeout;
      const { success, message } = codec.decode(await client.call(request, timeout));
      if (success !== true) throw new VernierError('STATE', `${reset}: ${message}`);
      this.#since = monotonicMs();
    } finally {
      client.close();
    }
  }

  /** Waits for `inputs_timeout` at most. */
  async #until(condition: () => boolean, what: () => string): Promise<void> {
    const deadline = monotonicMs() + 1000 * this.#options.spec.inputs_timeout;
    while (!condition()) {
      if (this.#closing) throw new VernierError('STATE', 'the node is being shut down');
      if (monotonicMs() > deadline)
        throw new VernierError('TIMEOUT', `after ${this.#options.spec.inputs_timeout} s: ${what()}`);
      await sleep(POLL_MS);
    }
  }

  #onError(error: unknown): void {
    this.#lastError = error;
    this.#options.log(`error: ${error instanceof Error ? error.message : String(error)}`);
  }

  #record(topic: string, type: string, bytes: Uint8Array, sent?: bigint): void {
    if (!this.#recording) return;
    const now = BigInt(Date.now()) * 1_000_000n;
    this.#recording.add(topic, standardDefinitions.struct(type), bytes, now, sent ?? now);
  }

  #parameterList(): Parameter[] {
    const prepared = (key: 'robot' | 'task' | 'bundle') => () => this.#configured?.prepared[key] ?? '';
    return [
      {
        name: 'residual_scale',
        description: 'Of the residual on top of the base; 0 is the base alone.',
        range: [0, 1],
        value: () => this.#residualScale ?? 0,
        set: (value) => {
          const thread = this.#configured?.thread;
          if (thread && !thread.hasResidual && value !== 0) return 'the bundle has no residual';
          this.#residualScale = value as number;
          thread?.setResidualScale(value as number);
          return undefined;
        },
      },
      {
        name: 'speed_scale',
        description: 'Share of the speed at which the arm follows the policy.',
        range: [0, 1],
        value: () => this.#speedScale,
        set: (value) => {
          this.#speedScale = value as number;
          this.#configured?.thread.setSpeedScale(value as number);
          return undefined;
        },
      },
      { name: 'robot', description: 'Name of the robot.', value: prepared('robot') },
      { name: 'task', description: 'Name of the task.', value: prepared('task') },
      { name: 'bundle', description: 'Path of the policy.', value: prepared('bundle') },
    ];
  }
}

interface Configured {
  readonly prepared: Prepared;
  readonly thread: ControlThread;
  readonly inputs: Inputs;
  readonly outputs: Outputs;
  readonly endpoints: readonly Endpoint[];
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
