import { PhiloxStream } from '#core/philox';
import type { HackWarning } from '#reward/hackAlarm';
import { RewardShaper } from '#reward/rewardShaper';
import type { MethodSpec, ResolvedReward, RewardEntry } from '#spec/resolvedReward';

/** A corridor of nine places, start in the middle. Right end: the goal, reward 1, and the episode ends. Left end: a
 * place that a mistaken score praises. */
export const corridor = { places: 9, start: 4, goal: 8, decoy: 0, horizon: 30 } as const;

/** What an entry's expressions and its gate read of a place: [score, success]. */
export function valuesAt(place: number): Float64Array {
  return Float64Array.of(Number(place === corridor.decoy), Number(place === corridor.goal));
}

export function scoreReward(method: MethodSpec, rest: Partial<RewardEntry> = {}): ResolvedReward {
  const entry = {
    name: 'score',
    weight: 0.2,
    offset: 0,
    length: 1,
    cap: undefined,
    gate: undefined,
    invariant: method.kind === 'potential',
    method,
    ...rest,
  };
  return { entries: [entry], factors: [] };
}

export interface Learned {
  /** Over the last 200 episodes, without exploration. */
  readonly success: number;
  readonly shapedReturn: number;
  readonly warnings: readonly HackWarning[];
}

/** Monte-Carlo control over (time, place), exploration fading, with what the shaper adds at once and afterwards. */
export function learn(reward: ResolvedReward | undefined, seed: number, episodes = 6000): Learned {
  const draws = new PhiloxStream(seed);
  const shaper = reward && new RewardShaper(reward, 1, 1);
  const { places, start, goal, horizon } = corridor;
  const values = new Float64Array(horizon * places * 2);
  const warnings: HackWarning[] = [];
  const last = { successes: 0, sum: 0 };
  for (let episode = 0; episode < episodes; episode++) {
    const greedy = episode >= episodes - 200;
    const steps: { readonly at: number; reward: number }[] = [];
    let place: number = start;
    shaper?.begin(0, valuesAt(place));
    while (steps.length < horizon && place !== goal) {
      const at = (steps.length * places + place) * 2;
      const explores = !greedy && draws.uniform() < Math.max(0.1, 1 - (2 * episode) / episodes);
      const right = explores ? draws.uniform() < 0.5 : values[at + 1]! > values[at]! - 1e-9 * draws.uniform();
      place = Math.min(goal, Math.max(0, place + (right ? 1 : -1)));
      const own = Number(place === goal);
      const added = shaper?.step(0, valuesAt(place), own, place === goal) ?? 0;
      steps.push({ at: at + Number(right), reward: own + added });
    }
    const finished = shaper?.finish(0, place === goal);
    if (finished?.warning) warnings.push(finished.warning);
    let value = 0;
    for (let t = steps.length - 1; t >= 0; t--) {
      value += steps[t]!.reward + (finished?.credits[t] ?? 0);
      const { at } = steps[t]!;
      values[at]! += 0.1 * (value - values[at]!);
    }
    if (!greedy) continue;
    last.successes += Number(place === goal);
    last.sum += value;
  }
  return { success: last.successes / 200, shapedReturn: last.sum / 200, warnings };
}
