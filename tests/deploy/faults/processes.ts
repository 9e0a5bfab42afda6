import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { readDeployment, resolveDeployment } from '#deploy/robot/deployment';
import { type RestTimes, restTimes } from '#deploy/robot/restTimes';
import { motionLimits } from '#deploy/safety/limits';
import { loadBundle, saveBundle } from '#policy/bundle';
import { inspectRemote } from '#policy/remoteInspection';
import type { RemoteModel } from '#policy/remoteModel';
import { loadTask } from '#spec/task';
import { ensureBuild } from '../../cli/cli.js';
import { type Isolation, patience, until } from '../../transport/loopback.js';
import { reachBundle } from '../robot/reachBundle.js';
import { type RobotChild, vernier } from '../robot/robotChild.js';
import { Witness } from '../witness.js';
import { FaultyGraph, topics } from './faultyGraph.js';

/** The task lasts for as long as a test does. */
const lasting = ['horizon=1000000'] as const;
/** Seconds that the simulated servos take to settle behind their command. */
export const servos = 0.25;
/** Of output.latency: a machine that tests share wakes threads late. */
const LATENCY = 0.03;
/** A trial in which nobody woke later than this is not void, s. */
const LATE = 0.03;
/** Trials in which the machine was late, before the test fails. */
const TRIALS = 5;
/** An activation is asked for so often: a machine that was busy for a moment has old inputs for a moment. */
const ACTIVATIONS = 10;

export interface Setup {
  /** More of deploy.yaml. */
  readonly spec?: Readonly<Record<string, unknown>>;
  /** Of joint states, Hz. */
  readonly rate?: number;
  /** A policy server is asked for each action. */
  readonly served?: boolean;
}

type Part = 'server' | 'arm' | 'policy';

/** A sim robot and a robot process over DDS, with what stands between them. Processes start when they are needed, and stay
 * until a test breaks them. */
export class FaultyRobot {
  readonly graph: FaultyGraph;
  /** Stated by the code for the limits of the arm and these settings. */
  readonly rest: RestTimes;
  readonly witness = new Witness();
  readonly #setup: Setup;
  readonly #env: Isolation['env'];
  readonly #folder: string;
  readonly #children = new Map<Part, RobotChild>();
  /** Where the server is, from its first start on. */
  #endpoint: string | undefined;
  /** Characters that the robot process had written when the trial began. */
  #saidBefore = 0;

  static async open({ env }: Isolation, setup: Setup = {}): Promise<FaultyRobot> {
    ensureBuild();
    const folder = mkdtempSync(join(tmpdir(), 'vernier-faults-'));
    await reachBundle(join(folder, 'reach.vrn'), undefined, lasting);
    return new FaultyRobot(env, folder, setup, await FaultyGraph.open(), await statedRest());
  }

  private constructor(
    env: Isolation['env'],
    folder: string,
    setup: Setup,
    graph: FaultyGraph,
    rest: RestTimes,
  ) {
    this.graph = graph;
    this.rest = rest;
    this.#setup = setup;
    this.#env = env;
    this.#folder = folder;
  }

  get arm(): RobotChild {
    return this.#children.get('arm')!;
  }

  get policy(): RobotChild {
    return this.#children.get('policy')!;
  }

  /** Waits until the robot process wrote that in this trial: what it writes may come after what it sends. */
  says(pattern: RegExp): Promise<void> {
    return until(`${pattern}`, () => pattern.test(this.policy.output().slice(this.#saidBefore)));
  }

  get server(): RobotChild {
    return this.#children.get('server')!;
  }

  /** Runs a test, and judges every trajectory of it. One that fails leaves no process behind. Where the machine was late
   * meanwhile, that may be why, and it is tried again.
   * @throws why it failed, where the machine was not late or was in every trial */
  async trial(body: () => Promise<void>): Promise<void> {
    for (let k = 1; ; k++) {
      this.graph.begin();
      this.witness.begin();
      this.#saidBefore = this.#children.get('policy')?.output().length ?? 0;
      try {
        await body();
        const { audit } = this.graph;
        if (audit.count > 0) console.log(audit.summary);
        expect(audit.faults.join('; ')).toBe('');
        expect(audit.longest).toBeLessThan(this.rest.silence);
        return;
      } catch (error) {
        const { late } = this.witness;
        await this.#killAll();
        if (late < LATE) throw error;
        const text = `this machine woke threads up to ${late.toFixed(3)} s late in trial ${k}: ${(error as Error).message}`;
        if (k === TRIALS) throw new Error(text, { cause: error });
        console.log(text);
      }
    }
  }

  /** All processes run, and the node is inactive. @param rate of joint states where the arm is started, Hz */
  async stands(rate?: number): Promise<void> {
    const { served } = this.#setup;
    if (served && !this.server) await this.#startServer();
    if (!this.arm) await this.#startArm(rate);
    if (!this.policy) await this.#startPolicy();
    const state = await this.graph.state();
    if (state === 'active') await this.graph.change('deactivate');
    await this.graph.reaches('inactive');
    await this.graph.reset();
  }

  /** All processes run, the node is active, and the arm moves. @param rate of joint states where the arm is started, Hz */
  async moves(rate?: number): Promise<void> {
    const { graph } = this;
    const parts: readonly Part[] = this.#setup.served ? ['server', 'arm', 'policy'] : ['arm', 'policy'];
    const all = parts.every((part) => this.#children.has(part));
    if (!all || (await graph.state()) !== 'active') {
      await this.stands(rate);
      // It begins where the arm is by now.
      graph.audit.forget();
      await this.activate();
    }
    await graph.moves();
  }

  /** @throws what the node says against it */
  async activate(): Promise<void> {
    for (let k = 0; k < ACTIVATIONS; k++) if (await this.graph.change('activate')) return;
    throw new Error(`not activated:\n${this.policy.output()}`);
  }

  /** Kills what runs, without asking. */
  async kill(part: Part): Promise<void> {
    const child = this.#children.get(part);
    child?.process.kill('SIGKILL');
    await this.ended(part);
  }

  /** Waits for its end. @returns its exit code, null after a signal */
  async ended(part: Part): Promise<number | null> {
    const code = (await this.#children.get(part)?.ended()) ?? null;
    this.#children.delete(part);
    return code;
  }

  async close(): Promise<void> {
    this.witness.close();
    await this.#killAll();
    await this.graph.close();
    rmSync(this.#folder, { recursive: true });
  }

  async #killAll(): Promise<void> {
    for (const part of this.#children.keys()) await this.kill(part);
  }

  get #bundle(): string {
    return join(this.#folder, 'reach.vrn');
  }

  async #startArm(rate = this.#setup.rate ?? 200): Promise<void> {
    const child = this.#start('arm', ['sim-robot', 'panda', '--task', 'reach', '--rate', String(rate)]);
    await child.said(/joints on/);
  }

  /** Serves the policy for others, where it did before. */
  async #startServer(): Promise<void> {
    const port = /:(\d+)$/.exec(this.#endpoint ?? '')?.[1] ?? '0';
    const child = this.#start('server', ['serve', this.#bundle, '--policy', 'base', '--port', port]);
    const said = /serving reach, base, at (\S+):/;
    await child.said(said);
    this.#endpoint = said.exec(child.output())![1]!;
  }

  /** The same policy, asked for each action. @returns the bundle's path */
  async #remote(endpoint: string): Promise<string> {
    const bundle = loadBundle(this.#bundle);
    const { controlPeriod, observationFields, actionNames } = bundle;
    const model: RemoteModel = {
      kind: 'remote',
      endpoint,
      protocol: 'vernier',
      encoding: 'groot',
      timeoutMs: 20_000,
      reconnectMs: 60_000,
      text: {},
      actions: ['actions'],
      task: { controlPeriod, observationFields, actionNames },
      served: undefined,
    };
    const path = join(this.#folder, 'remote.vrn');
    saveBundle(path, { ...bundle, base: { ...model, served: await inspectRemote(model) } });
    return path;
  }

  /** Starts the robot process and configures it; it waits to be activated. */
  async #startPolicy(): Promise<void> {
    const bundle = this.#endpoint === undefined ? this.#bundle : await this.#remote(this.#endpoint);
    const file = join(this.#folder, 'deploy.yaml');
    const all = {
      joint_states: { topic: topics.joints },
      bodies: { target: { topic: topics.target } },
      start: { pose: 'any' },
      output: { latency: LATENCY },
      episode: { judge: false },
      ...this.#setup.spec,
    };
    writeFileSync(file, stringify(all));
    this.#saidBefore = 0;
    const child = this.#start('policy', ['ros2', bundle, '--robot', 'panda', '--config', file, '--managed']);
    await this.graph.reaches('unconfigured', 2 * patience);
    if (!(await this.graph.change('configure'))) throw new Error(`not configured:\n${child.output()}`);
  }

  #start(part: Part, args: readonly string[]): RobotChild {
    const child = vernier([...args, ...lasting.flatMap((override) => ['--set', override])], this.#env);
    this.#children.set(part, child);
    return child;
  }
}

async function statedRest(): Promise<RestTimes> {
  const task = await loadTask('reach', lasting);
  const { arm } = task.robot;
  const plain = resolveDeployment(readDeployment(undefined), task);
  const deployment = {
    ...plain,
    spec: { ...plain.spec, output: { ...plain.spec.output, latency: LATENCY } },
  };
  const { tick } = plain.spec.limits;
  return restTimes(motionLimits(arm.names, arm.limits, { period: tick }), deployment);
}
