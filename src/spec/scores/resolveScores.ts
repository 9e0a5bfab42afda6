import { dirname } from 'node:path';
import { nearestHint } from '#expr/source';
import type { ConfigFile } from '#spec/configFile';
import type { ResolvedCamera, ResolvedDistilled, ResolvedScore } from '#spec/resolved';
import { type ScoreBackend, type ScoreKind, scoreBackends } from '#spec/scores/scoreSchema';
import type { TaskSpec } from '#spec/taskSchema';

/** The task's scores in the order of the file, their cameras looked up. @throws SPEC */
export function resolveScores(
  { scores, description }: TaskSpec,
  config: ConfigFile,
  cameras: readonly ResolvedCamera[],
  file: string,
): ResolvedScore[] {
  const known = cameras.map(({ name }) => name);
  return ofPictures(scores).map(([name, spec]) => {
    const path = ['scores', name];
    if (known.length === 0)
      config.fail(
        path,
        'the task has no cameras, and a score looks at pictures',
        'give it some under `cameras`',
      );
    for (const [i, camera] of (spec.cameras ?? []).entries()) {
      if (!known.includes(camera))
        config.fail(
          [...path, 'cameras', i],
          `the task has no camera "${camera}"${nearestHint(camera, known)}; it has ${known.join(', ')}`,
        );
    }
    return {
      name,
      backend: backendOf(spec),
      cameras: spec.cameras ?? known,
      every: spec.every,
      batch: spec.batch,
      pause: spec.pause,
      instruction: spec.instruction ?? description,
      directory: dirname(file),
    };
  });
}

/** The task's scores that small networks learn of others. @throws SPEC */
export function resolveDistilled(
  { scores }: TaskSpec,
  config: ConfigFile,
  file: string,
): ResolvedDistilled[] {
  const known = ofPictures(scores).map(([name]) => name);
  return Object.entries(scores).flatMap(([name, spec]) => {
    const settings = spec.distilled;
    if (settings === undefined) return [];
    if ('of' in settings && !known.includes(settings.of)) {
      const has = known.length > 0 ? `it has ${known.join(', ')}` : 'it has none';
      config.fail(
        ['scores', name, 'distilled', 'of'],
        `the task has no score of pictures "${settings.of}"${nearestHint(settings.of, known)}; ${has}`,
      );
    }
    return [{ name, settings, directory: dirname(file) }];
  });
}

function ofPictures(scores: TaskSpec['scores']): [string, TaskSpec['scores'][string]][] {
  return Object.entries(scores).filter(([, { distilled }]) => distilled === undefined);
}

/** The schema lets through exactly one key of a backend. */
function backendOf(spec: Readonly<Record<string, unknown>>): ScoreBackend {
  const kind = Object.keys(scoreBackends).find((key) => key in spec) as ScoreKind;
  return { kind, settings: spec[kind] } as ScoreBackend;
}
