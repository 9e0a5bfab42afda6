import { join } from 'node:path';
import { describeBackends } from '#cli/backends';
import type { CliContext } from '#cli/context';
import { catchInterrupt } from '#cli/interrupt';
import type { PlayFlags } from '#cli/play';
import { shownPath } from '#cli/runFolder';
import { loadSubject, makeNamedPolicy } from '#cli/subject';
import { orCheckpoint } from '#cli/unfinished';
import { openVideo } from '#cli/video';
import { playEpisodes, taskView } from '#view/play';

export async function playFromCommandLine(
  what: string,
  flags: PlayFlags,
  context: CliContext,
): Promise<void> {
  const loaded = await loadSubject(what, context.overrides, flags.task);
  const subject = orCheckpoint(loaded, (text) => process.stderr.write(`${text}\n`));
  const { task, run, bundle, formula } = subject;
  const name = flags.policy ?? (bundle || formula || run ? 'policy' : 'expert');
  const seed = flags.seed ?? task.spec.evaluation.seed;
  const directory = flags.out ?? (run ? join(run.folder, 'play') : join('play', task.name));
  const film = flags.video === undefined ? undefined : openVideo(flags.video, directory, task);
  const interrupt = catchInterrupt(context.out);
  context.out(`${task.name}, ${name}; ${describeBackends(1)}`);
  const episodes = playEpisodes({
    task,
    seed,
    episodes: Array.from({ length: flags.episodes }, (_, environment) => ({ environment, episode: 0 })),
    makeActor: (env) => makeNamedPolicy(subject, name, env, seed),
    directory,
    name,
    picture: {
      ...flags.size,
      shadows: true,
      cameras: (flags.camera ?? []).map((view) => taskView(task, view)),
    },
    save: { frames: flags.frames, stripOnly: flags.strip || film !== undefined },
    ...(film ? { film } : {}),
  });
  try {
    for await (const { success, steps, files } of episodes) {
      context.out(
        `${success ? 'success' : 'failure'} after ${steps} steps: ${files.map(shownPath).join(', ')}`,
      );
      if (interrupt.requested) break;
    }
    if (film) {
      await film.end();
      context.out(`film: ${shownPath(film.path)}`);
    }
  } catch (error) {
    film?.abort();
    throw error;
  } finally {
    interrupt.dispose();
  }
}
