import { createHash } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { VernierError } from '#core/errors';
import type { ModelNames, ModelSource } from '#core/model';
import { ExpressionCompiler } from '#expr/compile';
import type { Program } from '#expr/program';
import { modelNames } from '#native/modelNames';
import { resolveCameras } from '#spec/cameras';
import { ConfigFile, type Path } from '#spec/configFile';
import { actionNames, resolveControl } from '#spec/control';
import { requireAnalytic } from '#spec/dynamics';
import { resolveExpert } from '#spec/expert';
import { expandResidual } from '#spec/learningSchema';
import { type Collection, find, robots, scenes, tasks } from '#spec/lookup';
import { resolveMirror } from '#spec/mirror';
import { parseFile } from '#spec/mistakes';
import { composeModel } from '#spec/model';
import { type ResolvedMonitors, resolveMonitors } from '#spec/monitor';
import { resolveRandomize } from '#spec/randomize';
import type { ResolvedControl, ResolvedRobot, ResolvedTask } from '#spec/resolved';
import { resolveReward, termsOf } from '#spec/reward';
import { readRobot, resolveRobot, robotNames, shortPath } from '#spec/robot';
import { resolveDistilled, resolveScores } from '#spec/scores/resolveScores';
import { type TaskSpec, taskSchema } from '#spec/taskSchema';

export type { ResolvedTask } from '#spec/resolved';

/** Reads a task file and everything it names, checks all of it against the model, and compiles its expressions.
 *
 * @param path a file, or the name of one of the tasks/ folder
 * @param overrides `residual.scale=0.2`: a dotted path and a YAML value, written over the file
 * @param readNames loads the model far enough to know its names; the active physics backend when left out
 * @throws SPEC, EXPRESSION: one error for the first mistake, with its file:line:column; IO, USAGE, PHYSICS */
export async function loadTask(
  path: string,
  overrides: readonly string[] = [],
  readNames: (source: ModelSource) => ModelNames | Promise<ModelNames> = modelNames,
): Promise<ResolvedTask> {
  const file = findTask(path);
  const config = new ConfigFile(shortPath(file), overrides);
  const spec = parseFile(config, taskSchema, expandPresets);
  requireConsistent(spec, config);
  const base = dirname(file);
  const robotFile = readRobot(located(config, ['robot'], robots, spec.robot, base));
  const scene = spec.scene === undefined ? undefined : located(config, ['scene'], scenes, spec.scene, base);
  const model = composeModel(robotFile.modelPath, scene);
  const names = await readNames(model);
  const robot = resolveRobot(robotFile, names);
  const control = resolveControl(spec, config, robot, robotFile, names);
  const entries = actionNames(control, robot);
  const randomize = resolveRandomize(spec, config, robot, names);
  const compiler = new ExpressionCompiler(names, robotNames(robot, entries.length));
  const { program, expert, reward, monitors } = compileTask(spec, config, compiler, control, robot);
  const cameras = resolveCameras(spec.cameras, config, names);
  if (control.dynamics) requireAnalytic(program, randomize, config);
  return {
    name: spec.name,
    file,
    spec,
    overrides,
    hash: hashTask(spec, robot, control, model),
    robot,
    model,
    names,
    control,
    randomize,
    horizon: spec.horizon,
    successHold: spec.success_hold,
    actionLength: entries.length,
    observationLength: program.groups.observation.length + (monitors?.native.observed.length ?? 0),
    actionNames: entries,
    program,
    expert,
    mirror: resolveMirror(spec, config, robot, control, names, program),
    reward,
    monitors,
    cameras,
    scores: resolveScores(spec, config, cameras, file),
    distilled: resolveDistilled(spec, config, file),
  };
}

/** The task file that a path or a name means. @throws IO */
export function findTask(path: string): string {
  const found = find(tasks, path, process.cwd());
  if ('path' in found) return resolve(found.path);
  throw new VernierError('IO', found.problem);
}

function located(
  config: ConfigFile,
  path: Path,
  collection: Collection,
  reference: string,
  base: string,
): string {
  const found = find(collection, reference, base);
  return 'path' in found ? found.path : config.fail(path, found.problem);
}

/** Presets are written under the file's own keys before the schema sees them. */
function expandPresets(raw: unknown): unknown {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return raw;
  const { residual = {} } = raw as { readonly residual?: unknown };
  const expanded = expandResidual(residual);
  if (isPlainlySparse(raw) || typeof expanded !== 'object' || Array.isArray(expanded))
    return { ...raw, residual: expanded };
  return { ...raw, residual: { clip_targets: false, ...expanded } };
}

/** Whether returns lie in [0, 1]: 1 on success, and nothing added. */
function isPlainlySparse(raw: { readonly reward?: unknown; readonly spec?: unknown }): boolean {
  const { reward = 'sparse', spec } = raw;
  return reward === 'sparse' && !(typeof spec === 'object' && spec !== null && 'reward' in spec);
}

/** Keys that only make sense together. */
function requireConsistent(
  { base, residual, demos, success, success_hold, spec, horizon }: TaskSpec,
  config: ConfigFile,
): void {
  if (residual.min_of > residual.critics) {
    config.fail(
      ['residual', 'min_of'],
      `expected at most residual.critics, ${residual.critics}, received ${residual.min_of}`,
    );
  }
  if (residual.imitation && residual.demo_fraction === 0) {
    config.fail(
      ['residual', 'imitation'],
      'expected residual.demo_fraction above 0: there is nothing to imitate',
    );
  }
  if (base.kind === 'onnx' && base.file === undefined) {
    config.fail(['base', 'file'], 'missing key, expected the path of an ONNX file, since base.kind is onnx');
  }
  if (base.kind === 'remote' && base.endpoint === undefined) {
    config.fail(['base', 'endpoint'], 'missing key, expected tcp://host:port, since base.kind is remote');
  }
  if (base.kind === 'remote' && base.protocol?.startsWith('groot') && base.observation === undefined) {
    config.fail(
      ['base', 'observation'],
      `missing key, expected what is sent under which name, since base.protocol is ${base.protocol}`,
    );
  }
  // How long the chunks of a server are is known when it has been asked.
  if (base.kind !== 'remote' && base.execute !== undefined && base.execute > base.chunk) {
    config.fail(['base', 'execute'], `expected at most base.chunk, ${base.chunk}, received ${base.execute}`);
  }
  if (demos.attempts !== undefined && demos.attempts < demos.episodes) {
    config.fail(
      ['demos', 'attempts'],
      `expected at least demos.episodes, ${demos.episodes}, received ${demos.attempts}`,
    );
  }
  if (success === undefined && spec === undefined) {
    config.fail(['success'], 'missing key, expected a condition, or a formula under `spec`');
  }
  if (success !== undefined && spec !== undefined) {
    config.fail(['success'], 'expected either `success` or `spec`, received both: `spec` tells success');
  }
  if (spec !== undefined && success_hold > 1) {
    config.fail(['success_hold'], 'expected 1 with `spec`; write the time into the formula, always[0, ...]');
  }
  if (success_hold > horizon) {
    config.fail(['success_hold'], `expected at most the horizon, ${horizon}, received ${success_hold}`);
  }
}

function compileTask(
  spec: TaskSpec,
  config: ConfigFile,
  compiler: ExpressionCompiler,
  control: ResolvedControl,
  robot: ResolvedRobot,
): Pick<ResolvedTask, 'program' | 'expert' | 'reward' | 'monitors'> {
  for (const name of Object.keys(spec.signals)) {
    const path = ['signals', name];
    if (name === 'success' || name === 'failure') {
      config.fail(path, 'expected another name, the task has a condition of this one');
    }
    compiler.defineSignal(name, config.expression(path), config.keySource(path));
  }
  const success = spec.success === undefined ? undefined : config.expression(['success']);
  if (success) compiler.defineSignal('success', success);
  const failure = spec.failure === undefined ? undefined : config.expression(['failure']);
  if (failure) compiler.defineSignal('failure', failure);
  compiler.outputSignals();
  outputObservation(spec, config, compiler);
  const reward = resolveReward(spec, config, compiler);
  if (success) compiler.output('success', 'success', compiler.condition(success), success);
  if (failure) compiler.output('failure', 'failure', compiler.condition(failure), failure);
  const expert = resolveExpert(spec, config, compiler, control, robot);
  const monitors = resolveMonitors(spec, config, compiler, control);
  const program = compiler.finish();
  const whole = withMonitor(program, monitors);
  requireObserved(spec, config, whole);
  return { program: whole, expert, reward, monitors };
}

/** What a remote base is sent has to be observed. */
function requireObserved({ base }: TaskSpec, config: ConfigFile, { observationNames }: Program): void {
  const names = observationNames.map(({ name }) => name);
  for (const [key, sent] of Object.entries(base.observation ?? {})) {
    const missing = [sent].flat().find((name) => !names.includes(name));
    if (missing !== undefined)
      config.fail(
        ['base', 'observation', key],
        `${JSON.stringify(missing)} is no entry of the observation, which has ${names.join(', ')}`,
      );
  }
}

/** What the monitor puts behind the observation, by name. */
function withMonitor(program: Program, monitors: ResolvedMonitors | undefined): Program {
  const offset = program.groups.observation.length;
  const length = monitors?.native.observed.length ?? 0;
  if (length === 0) return program;
  const observationNames = [...program.observationNames, { name: 'spec', offset, length, unit: '1' }];
  return { ...program, observationNames };
}

function outputObservation(spec: TaskSpec, config: ConfigFile, compiler: ExpressionCompiler): void {
  for (const [i, entry] of spec.observation.entries()) {
    const path = ['observation', i];
    const named = typeof entry !== 'string';
    const source = config.expression(named ? [...path, 'value'] : path);
    const value = compiler.value(source);
    const scaled = named ? compiler.scaled(value, entry.scale ?? 1) : value;
    compiler.output('observation', named ? entry.name : source.text.trim(), scaled, source);
  }
}

/** Over what is simulated and how it is judged; how it is learned, described and demonstrated is not part of it. */
function hashTask(
  spec: TaskSpec,
  robot: ResolvedRobot,
  control: ResolvedControl,
  model: ModelSource,
): string {
  const {
    horizon,
    dynamics = robot.spec.dynamics,
    randomize,
    signals,
    observation,
    success,
    success_hold,
    failure,
    reward,
    guard,
  } = spec;
  const formulas = spec.spec === undefined && guard.length === 0 ? {} : { spec: spec.spec, guard };
  const { arm, gripper, end_effector, base, limits } = robot.spec;
  const content = {
    task: {
      horizon,
      randomize,
      signals,
      observation,
      success,
      success_hold,
      failure,
      reward: termsOf(reward),
      ...formulas,
    },
    robot: { arm, gripper, end_effector, base, limits, dynamics },
    control,
    model: model.hash,
  };
  return createHash('sha256').update(canonical(content)).digest('hex');
}

/** JSON with the keys in order, so that the order in the file does not matter. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
