import { dirname } from 'node:path';
import { nearestHint } from '#expr/source';
import type { ConfigFile } from '#spec/configFile';
import type { ResolvedCamera, ResolvedScore } from '#spec/resolved';
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
  return Object.entries(scores).map(([name, spec]) => {
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

/** The schema lets through exactly one key of a backend. */
function backendOf(spec: Readonly<Record<string, unknown>>): ScoreBackend {
  const kind = Object.keys(scoreBackends).find((key) => key in spec) as ScoreKind;
  return { kind, settings: spec[kind] } as ScoreBackend;
}
