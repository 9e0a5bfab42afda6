import pc from 'picocolors';
import type { Display } from '#cli/display';
import { compact, duration, percent, rateWithInterval } from '#cli/format';
import type { PhaseName, Score, ScoringEvent, TrainEvent } from '#learn/events';
import type { PairedComparison } from '#learn/statistics';

/** What a training run shows while it goes on: a line for what is settled, a status for what moves. */

const PHASE_TITLES: Readonly<Record<PhaseName, string>> = {
  demos: 'demonstrations by the expert',
  base: 'cloning the base policy',
  scores: 'scores: the models start, and judge the demonstrations',
  'warm-up': 'warm-up: the base with noise fills the replay',
  'critic only': 'critics only: the actor waits',
  online: 'residual: acting and learning',
  'final evaluation': 'final evaluation: base and policy on the same initial states',
  done: 'done',
};

const FORMULA_TITLES: Readonly<Record<PhaseName, string>> = {
  ...PHASE_TITLES,
  online: 'acting and learning',
  'final evaluation': 'final evaluation: the exact monitor on starts that were held out',
};

/** What is learned: a correction of a base, or a formula. */
export type Learned = 'residual' | 'formula';

const WHO: Readonly<Record<Learned, Readonly<Record<'base' | 'policy' | 'final', string>>>> = {
  residual: { base: 'base alone', policy: 'base + residual', final: 'base + residual, final' },
  formula: { base: 'base alone', policy: "the critic's plan", final: 'final' },
};

export function formatScore({ rate, low, high, successes, episodes }: Score): string {
  return `${rateWithInterval(rate, [low, high])}  ${successes} of ${episodes}`;
}

/** How two policies compare, start by start; first = base. */
export function formatPaired(
  { onlyFirst, onlySecond, both, neither, pValue }: PairedComparison,
  [first, second]: readonly [string, string] = ['base', 'base + residual'],
): string {
  const p = pValue < 1e-4 ? pValue.toExponential(1) : pValue.toFixed(4);
  return (
    `on the same starts: only ${second} ${onlySecond}, only ${first} ${onlyFirst}, both ${both}, ` +
    `neither ${neither} (McNemar p = ${p})`
  );
}

function bar(done: number, total: number, width = 24): string {
  const filled = Math.round((width * Math.min(done, total)) / Math.max(1, total));
  return `${'█'.repeat(filled)}${'░'.repeat(width - filled)}`;
}

type Progress = Extract<TrainEvent, { kind: 'progress' }>;

function progressStatus(event: Progress): string {
  const { phase, environmentSteps, total, success, stepsPerSecond, updatesPerSecond, eta } = event;
  return [
    `  ${bar(environmentSteps, total)} ${phase}`,
    `${compact(environmentSteps)} of ${compact(total)} steps`,
    ...(success === undefined ? [] : [`success ${percent(success)}`]),
    `${compact(stepsPerSecond)} steps/s`,
    `${compact(updatesPerSecond)} updates/s`,
    ...(eta === undefined ? [] : [`ETA ${duration(eta)}`]),
  ].join('  ');
}

/** How models keep up with the episodes. */
function scoringStatus({ scored, pending, missing, broken }: ScoringEvent): string {
  return [
    `${compact(scored)} episodes scored`,
    ...(pending > 0 ? [`${compact(pending)} wait`] : []),
    ...(missing > 0 ? [`${percent(missing)} missing`] : []),
    ...(broken.length > 0 ? [`no answer: ${broken.join(', ')}`] : []),
  ].join(', ');
}

function evaluationLine(event: Extract<TrainEvent, { kind: 'evaluation' }>, learned: Learned): string {
  const who = WHO[learned][event.what];
  return `${compact(event.environmentSteps)} steps, ${who}: ${formatScore(event.score)}`;
}

/** Turns the events of a run into lines and a status. `seconds` is the time since this session began. */
export function trainView(
  display: Display,
  seconds: () => number,
  learned: Learned = 'residual',
): (event: TrainEvent) => void {
  const titles = learned === 'formula' ? FORMULA_TITLES : PHASE_TITLES;
  const line = (text: string): void => display.line(`${pc.dim(duration(seconds()).padStart(11))}  ${text}`);
  let scoring: ScoringEvent | undefined;
  return (event) => {
    switch (event.kind) {
      case 'phase':
        display.status('');
        line(pc.bold(titles[event.phase]));
        break;
      case 'demos':
        display.status(
          `  ${bar(event.kept, event.wanted)} ${event.kept} of ${event.wanted} kept, ${event.tried} tried`,
        );
        break;
      case 'bc': {
        const held = event.validation === undefined ? '' : `, held out ${event.validation.toPrecision(3)}`;
        display.status(`  ${bar(event.step, event.total)} loss ${event.loss.toPrecision(3)}${held}`);
        break;
      }
      case 'progress':
        display.status([progressStatus(event), ...(scoring ? [scoringStatus(scoring)] : [])].join('\n  '));
        break;
      case 'evaluation':
        line(evaluationLine(event, learned));
        break;
      case 'scored demos':
        display.status(`  ${bar(event.done, event.total)} ${event.done} of ${event.total} scored`);
        break;
      case 'scoring':
        scoring = event;
        break;
      case 'checkpoint':
        line(pc.dim(`checkpoint at ${compact(event.environmentSteps)} steps`));
        break;
      case 'note':
        line(event.text);
        break;
      default:
        event satisfies never;
    }
  };
}
