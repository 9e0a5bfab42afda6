import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { VernierError } from '#core/errors';

/** What a training run tells, as its metrics.jsonl keeps it: the lines that are drawn, read back and checked. */

const score = z.object({
  successes: z.number(),
  episodes: z.number(),
  low: z.number(),
  high: z.number(),
  meanLength: z.number(),
});
const paired = z.object({
  both: z.number(),
  onlyFirst: z.number(),
  onlySecond: z.number(),
  neither: z.number(),
  pValue: z.number(),
});
const steps = z.number();
/** JSON has no NaN: a value that was not finite comes back as null. */
const measured = z
  .number()
  .nullish()
  .transform((value) => value ?? undefined);

const eventSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('phase'), phase: z.string(), environmentSteps: steps }),
  z.object({ kind: z.literal('demos'), kept: z.number(), wanted: z.number(), tried: z.number() }),
  z.object({
    kind: z.literal('bc'),
    step: z.number(),
    total: z.number(),
    loss: measured,
    validation: measured,
  }),
  z.object({
    kind: z.literal('progress'),
    environmentSteps: steps,
    stepsPerSecond: measured,
    updatesPerSecond: measured,
    success: measured,
    losses: z.record(z.string(), z.number().nullable()),
  }),
  z.object({
    kind: z.literal('evaluation'),
    what: z.enum(['base', 'policy', 'final']),
    environmentSteps: steps,
    score,
    base: score.optional(),
    paired: paired.optional(),
  }),
  z.object({ kind: z.literal('checkpoint'), environmentSteps: steps }),
  z.object({
    kind: z.literal('scoring'),
    environmentSteps: steps,
    scored: z.number(),
    pending: z.number(),
    dropped: z.number(),
    stale: z.number(),
    lost: z.number(),
    missing: measured,
    hits: measured,
    momentMs: measured,
    waitedMs: measured,
    broken: z.array(z.string()).readonly(),
  }),
  z.object({ kind: z.literal('scored demos'), done: z.number(), total: z.number() }),
  z.object({ kind: z.literal('note'), text: z.string() }),
]);

export type RunEvent = z.output<typeof eventSchema>;
/** Seconds since this session of the run began. */
export type LoggedEvent = RunEvent & { readonly seconds: number };

const lineSchema = z.object({ seconds: z.number() }).and(eventSchema);

/** Reads metrics.jsonl; a last line that a crash tore is left out.
 * @throws IO when it cannot be read, DATA with the line for one that is no event */
export function readEvents(file: string): LoggedEvent[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new VernierError('IO', `${file}: ${(cause as Error).message}`, { cause });
  }
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line, index) => {
    try {
      return lineSchema.parse(JSON.parse(line));
    } catch (cause) {
      const message = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
      const at = { file, line: index + 1, column: 1 };
      throw new VernierError('DATA', `not an event of a run: ${message}`, { at, cause });
    }
  });
}

/** What TensorBoard is shown of an event. A step of the base's cloning is not an environment step, so its tags
 * stand apart. */
export function scalarsOf(event: RunEvent): { step: number; values: Record<string, number> } | undefined {
  switch (event.kind) {
    case 'bc':
      return scalars(event.step, { 'base/loss': event.loss, 'base/validation': event.validation });
    case 'progress': {
      const losses = Object.entries(event.losses).map(([name, value]) => [
        `update/${name}`,
        value ?? undefined,
      ]);
      return scalars(event.environmentSteps, {
        'train/success': event.success,
        'speed/steps_per_second': event.stepsPerSecond,
        'speed/updates_per_second': event.updatesPerSecond,
        ...Object.fromEntries(losses),
      });
    }
    case 'evaluation': {
      const { what, base } = event;
      return scalars(event.environmentSteps, {
        [`evaluation/${what}`]: event.score.successes / event.score.episodes,
        'evaluation/final_base': base && base.successes / base.episodes,
      });
    }
    case 'scoring': {
      const { scored, dropped, stale, lost, missing, hits, momentMs, waitedMs, broken } = event;
      return scalars(event.environmentSteps, {
        'scores/episodes': scored,
        'scores/without': dropped + stale + lost,
        'scores/missing': missing,
        'scores/known_before': hits,
        'scores/ms_per_picture': momentMs,
        'scores/ms_waited': waitedMs,
        'scores/broken': broken.length,
      });
    }
    default:
      return undefined;
  }
}

function scalars(step: number, values: Readonly<Record<string, number | undefined>>) {
  const known = Object.entries(values).filter((entry): entry is [string, number] => entry[1] !== undefined);
  return { step, values: Object.fromEntries(known) };
}
