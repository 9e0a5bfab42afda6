import { createHash } from 'node:crypto';
import { VernierError } from '#core/errors';
import { Expert } from '#env/expert';
import { makeEnv } from '#env/makeEnv';
import { checkMirror } from '#env/mirrorCheck';
import type { VectorEnv } from '#env/vectorEnv';
import type { LearnEnv, PictureTask, Problem } from '#learn/problem';
import type { ResolvedTask } from '#spec/resolved';
import type { RobotSpec } from '#spec/robotSchema';

/** A task file as the learner sees it. */
export function taskProblem(task: ResolvedTask): Problem {
  // The expert reads way-points out of the environment, so it must get the very object that makeEnv made.
  const made = new WeakMap<LearnEnv, VectorEnv>();
  return {
    task: task.name,
    taskHash: task.hash,
    robotHash: robotHash(task.robot.spec),
    controlPeriod: task.control.period,
    observationFields: task.program.observationNames.map(({ name, length, unit }) => ({
      name,
      length,
      unit,
    })),
    actionNames: task.actionNames,
    O: task.observationLength,
    A: task.actionLength,
    horizon: task.horizon,
    ...(task.reward ? { signalNames: columnNames(task) } : {}),
    ...(task.mirror ? { mirror: { ...task.mirror, check: () => checkMirror(task) } } : {}),
    control: { ...task.control },
    ...(task.reward?.scored ? { pictures: pictureTask(task) } : {}),
    makeEnv: async (options) => {
      const env = await makeEnv(task, options);
      made.set(env, env);
      return env;
    },
    makeExpert: (env, seed) => {
      const own = made.get(env);
      if (!own) throw new VernierError('STATE', `the environment was not made for ${task.name}`);
      if (!task.expert)
        throw new VernierError('DATA', `${task.file}: the task has no expert and demos.file names no file`, {
          hint: 'add an expert section, or set demos.file to recorded demonstrations',
        });
      return new Expert(task, own, seed);
    },
  };
}

function pictureTask(task: ResolvedTask): PictureTask {
  const distilled = task.distilled.filter(({ name }) => isLookedAt(task.reward, name));
  const learned = distilled.flatMap(({ settings }) => ('of' in settings ? [settings.of] : []));
  return {
    camera: { model: task.model, cameras: task.cameras },
    scores: task.scores.filter(({ name }) => isLookedAt(task.reward, name) || learned.includes(name)),
    distilled,
    makeEnv: () => makeEnv(task, { environments: 1, seed: 0, threads: 1, autoReset: false }),
  };
}

function isLookedAt(reward: ResolvedTask['reward'], score: string): boolean {
  return (reward?.scored ?? []).some(({ sources }) =>
    sources.some((source) => 'score' in source && source.score === score),
  );
}

/** Over what the robot file says of the robot; what it looks like in a mirror makes it no other robot. */
export function robotHash({ mirror: _, ...spec }: RobotSpec): string {
  return createHash('sha256').update(JSON.stringify(spec)).digest('hex');
}

/** One name for each number among the signals. */
function columnNames({ program }: ResolvedTask): string[] {
  return program.signalNames.flatMap(({ name, length }) =>
    length === 1 ? [name] : Array.from({ length }, (_, i) => `${name}[${i}]`),
  );
}
