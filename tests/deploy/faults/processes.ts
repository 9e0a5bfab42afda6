import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { readDeployment, resolveDeployment } from '#deploy/robot/deployment';
import { type RestTimes, restTimes } from '#deploy/robot/restTimes';
import { motionLimits } from '#deploy/safety/limits';
import { loadBundle, saveBundle } from '#policy/bundle';
import { inspectRemote } from '#policy/remoteInspection';
import type { RemoteModel } from '#policy/remoteModel';
import { loadTask } from '#spec/task';
import { ensureBuild } from '../../cli/cli.js';
import type { Isolation } from '../../transport/loopback.js';
import { reachBundle } from '../robot/reachBundle.js';
import { type RobotChild, vernier } from '../robot/robotChild.js';
import { FaultyGraph, topics } from './faultyGraph.js';

/** The task lasts for as long as a test does. */
export const lasting = ['horizon=1000000'] as const;
/** Seconds that the simulated servos take to settle behind their command. */
export const servos = 0.25;
/** Seconds that a message, a thread or a process waits on a busy machine at most. */
export const slack = 0.3;
/** Of output.latency: a machine that tests share wakes threads late. */
const LATENCY = 0.03;

/** A sim robot and a robot process over DDS, with what stands between them. */
export class FaultyRobot {
  readonly graph: FaultyGraph;
  /** Stated by the code for the limits of the arm and these settings. */
  readonly rest: RestTimes;
  readonly #env: Isolation['env'];
  readonly #folder: string;
  readonly #children = new Set<RobotChild>();

  static async open({ env }: Isolation): Promise<FaultyRobot> {
    ensureBuild();
    const folder = mkdtempSync(join(tmpdir(), 'vernier-faults-'));
    await reachBundle(join(folder, 'reach.vrn'), undefined, lasting);
    return new FaultyRobot(env, folder, await FaultyGraph.open(), await statedRest());
  }

  private constructor(env: Isolation['env'], folder: string, graph: FaultyGraph, rest: RestTimes) {
    this.graph = graph;
    this.rest = rest;
    this.#env = env;
    this.#folder = folder;
  }

  /** Starts the arm. @param rate of joint states, Hz */
  async arm(rate = 200): Promise<RobotChild> {
    const overrides = lasting.flatMap((override) => ['--set', override]);
    const child = this.#start([
      'sim-robot',
      'panda',
      '--task',
      'reach',
      '--rate',
      String(rate),
      ...overrides,
    ]);
    await child.said(/joints on/, 60_000);
    return child;
  }

  /** Serves the policy for others. @param port 0: any that is free @returns with its endpoint */
  async server(port: number): Promise<readonly [RobotChild, string]> {
    const overrides = lasting.flatMap((override) => ['--set', override]);
    const bundle = join(this.#folder, 'reach.vrn');
    const child = this.#start(['serve', bundle, '--policy', 'base', '--port', String(port), ...overrides]);
    const said = /serving reach, base, at (\S+):/;
    await child.said(said, 60_000);
    return [child, said.exec(child.output())![1]!];
  }

  /** The same policy, asked for each action at an endpoint. @returns the bundle's path */
  async remote(endpoint: string): Promise<string> {
    const bundle = loadBundle(join(this.#folder, 'reach.vrn'));
    const { controlPeriod, observationFields, actionNames } = bundle;
    const model: RemoteModel = {
      kind: 'remote',
      endpoint,
      protocol: 'vernier',
      encoding: 'groot',
      timeoutMs: 2000,
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

  /** Starts the robot process and configures it; it waits to be activated. @param spec more of deploy.yaml */
  async policy(
    spec: Readonly<Record<string, unknown>> = {},
    bundle = join(this.#folder, 'reach.vrn'),
  ): Promise<RobotChild> {
    const file = join(this.#folder, 'deploy.yaml');
    const all = {
      joint_states: { topic: topics.joints },
      bodies: { target: { topic: topics.target } },
      start: { pose: 'any' },
      output: { latency: LATENCY },
      episode: { judge: false },
      ...spec,
    };
    writeFileSync(file, stringify(all));
    const overrides = lasting.flatMap((override) => ['--set', override]);
    const child = this.#start([
      'ros2',
      bundle,
      '--robot',
      'panda',
      '--config',
      file,
      '--managed',
      ...overrides,
    ]);
    await this.graph.reaches('unconfigured', 60_000);
    if (!(await this.graph.change('configure'))) throw new Error(`not configured:\n${child.output()}`);
    return child;
  }

  /** Kills what runs, without asking. */
  async kill(child: RobotChild): Promise<void> {
    child.process.kill('SIGKILL');
    await child.ended();
    this.#children.delete(child);
  }

  async close(): Promise<void> {
    for (const child of this.#children) await this.kill(child);
    await this.graph.close();
    rmSync(this.#folder, { recursive: true });
  }

  #start(args: readonly string[]): RobotChild {
    const child = vernier(args, this.#env);
    this.#children.add(child);
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
