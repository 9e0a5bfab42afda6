import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { ObservationField } from '#data/demos';
import type { CompileOptions } from '#nn/compile';
import { Distiller } from '#reward/distilled/distiller';
import { ProgressEnsemble } from '#reward/distilled/progressEnsemble';
import type { EpisodeScore } from '#reward/service/messages';
import type { ResolvedDistilled } from '#spec/resolved';

export interface DistilledOptions {
  readonly scores: readonly ResolvedDistilled[];
  readonly fields: readonly ObservationField[];
  readonly seed: number;
  readonly compile: CompileOptions;
  /** Where learned ensembles are kept, and found by a continuation: `scores-<name>.vrn`. */
  readonly folder: string;
  readonly note: (text: string) => void;
}

interface Student {
  readonly name: string;
  /** Undefined for one that comes from a file and learns no more. */
  readonly of: string | undefined;
  readonly distiller: Distiller | undefined;
  readonly fixed: ProgressEnsemble | undefined;
  version: number;
}

/** All scores of a task that small networks give. */
export class DistilledScores {
  readonly #options: DistilledOptions;
  readonly #students: readonly Student[];

  /** @throws IO, DATA for a file that is not there, or of another observation */
  constructor(options: DistilledOptions) {
    const { scores, fields, seed, compile: how } = options;
    this.#options = options;
    this.#students = scores.map(({ name, settings, directory }): Student => {
      const load = (file: string): ProgressEnsemble => ProgressEnsemble.load(file, fields, how);
      if ('file' in settings) {
        const fixed = load(resolve(directory, settings.file));
        return { name, of: undefined, distiller: undefined, fixed, version: 1 };
      }
      const kept = this.#file(name);
      const distiller = new Distiller({ fields, settings, seed, compile: how });
      if (existsSync(kept)) distiller.adopt(load(kept));
      return { name, of: settings.of, distiller, fixed: undefined, version: 1 };
    });
  }

  /** What those that are ready say of an episode. @shape observation [T + 1,O] */
  score(id: number, observation: Float32Array): EpisodeScore[] {
    return this.#students.flatMap((student) => {
      const ensemble = student.fixed ?? student.distiller?.current;
      if (!ensemble) return [];
      const { name: score, version } = student;
      const samples = Array.from({ length: observation.length / ensemble.O }, (_, t) => t);
      return [{ id, score, samples, version, hits: 0, unanswered: 0, ...ensemble.score(observation) }];
    });
  }

  /** Takes in what a score says of an episode. @returns whether any networks are newer than before
   * @shape observation [T + 1,O] */
  learn({ score, samples, phi }: EpisodeScore, observation: Float32Array, success: boolean): boolean {
    const known = samples.map((_, i) => i).filter((i) => !Number.isNaN(phi[i]!));
    const episode = {
      ...{ observation, success },
      samples: known.map((i) => samples[i]!),
      labels: known.map((i) => phi[i]!),
    };
    let renewed = false;
    for (const student of this.#students) {
      if (student.of !== score || !student.distiller?.add(episode)) continue;
      const { held, before, published } = student.distiller.train();
      const than = before === undefined ? '' : `, ${before.toFixed(2)} of those in use`;
      this.#options.note(
        `score ${student.name}: order of held-out episodes ${held.toFixed(2)} by new networks${than}: ${published ? 'taken' : 'left'}`,
      );
      if (!published) continue;
      student.version++;
      student.distiller.current!.save(this.#file(student.name), { of: score, held });
      renewed = true;
    }
    return renewed;
  }

  close(): void {
    for (const { fixed, distiller } of this.#students) {
      fixed?.close();
      distiller?.close();
    }
  }

  #file(name: string): string {
    return join(this.#options.folder, `scores-${name}.vrn`);
  }
}
