import { join } from 'node:path';
import { describeBackends } from '#cli/backends';
import type { CliContext } from '#cli/context';
import type { PlayFlags } from '#cli/play';
import { shownPath } from '#cli/runFolder';
import { loadSubject, makeNamedPolicy } from '#cli/subject';
import { makeEnv } from '#env/makeEnv';
import { recordEpisode, saveEpisode } from '#view/episodes';
import { Renderer } from '#view/renderer';

export async function playFromCommandLine(
  what: string,
  flags: PlayFlags,
  context: CliContext,
): Promise<void> {
  const subject = await loadSubject(what, context.overrides, flags.task);
  const { task } = subject;
  const name = flags.policy ?? (subject.bundle || subject.run ? 'policy' : 'expert');
  const seed = flags.seed ?? task.spec.evaluation.seed;
  const folder = flags.out ?? (subject.run ? join(subject.run.folder, 'play') : join('play', task.name));
  const { width, height } = flags.size;
  const renderer = new Renderer(task.model, {
    width,
    height,
    shadows: true,
    ...(flags.camera === undefined ? {} : { camera: flags.camera }),
  });
  const env = await makeEnv(task, { environments: 1, seed, threads: 1, autoReset: false });
  const policy = await makeNamedPolicy(subject, name, env, seed);
  context.out(`${task.name}, ${name}; ${describeBackends(1)}`);
  try {
    for (let environment = 0; environment < flags.episodes; environment++) {
      const episode = await recordEpisode(env, policy, { seed, environment, episode: 0 });
      const files = await saveEpisode(folder, `${name}-${seed}-${environment}`, renderer, episode, {
        frames: flags.frames,
        framesPerSecond: 1 / task.control.period,
        stripOnly: flags.strip ?? false,
      });
      const outcome = episode.success ? 'success' : 'failure';
      context.out(`${outcome} after ${episode.poses.length - 1} steps: ${files.map(shownPath).join(', ')}`);
    }
  } finally {
    policy.close();
    env.close();
    renderer.close();
  }
}
