import { PhiloxStream } from '#core/philox';

/** Small decision processes with known optima. */

export interface Mdp {
  readonly states: number;
  readonly actions: number;
  readonly gamma: number;
  /** Probability of s' after action a in state s. @shape [S,A,S] */
  readonly transition: Float64Array;
  /** Of reaching s' by action a from s. @shape [S,A,S] */
  readonly reward: Float64Array;
  /** States in which an episode ends for good. */
  readonly terminal: ReadonlySet<number>;
}

/** What a step of the process adds to its reward. */
export type Shaping = (from: number, to: number, terminated: boolean) => number;

/** Random transitions and rewards, the last two states terminal. */
export function randomMdp(seed: number, states: number, actions: number, gamma: number): Mdp {
  const draws = new PhiloxStream(seed);
  const size = states * actions * states;
  const transition = Float64Array.from({ length: size }, () =>
    draws.uniform() < 0.5 ? 0.01 : draws.uniform(),
  );
  for (let row = 0; row < size; row += states) {
    const total = transition.subarray(row, row + states).reduce((sum, p) => sum + p, 0);
    for (let s = 0; s < states; s++) transition[row + s]! /= total;
  }
  const reward = Float64Array.from({ length: size }, () => draws.uniform() - 0.5);
  return { states, actions, gamma, transition, reward, terminal: new Set([states - 2, states - 1]) };
}

/** Action values by value iteration, to 1e-12. @shape result [S,A] */
export function actionValues(mdp: Mdp, shaping: Shaping = () => 0): Float64Array {
  const { states: S, actions: A, gamma, transition, reward, terminal } = mdp;
  const values = new Float64Array(S * A);
  const best = (s: number): number =>
    terminal.has(s) ? 0 : Math.max(...values.subarray(s * A, (s + 1) * A));
  for (let change = 1; change > 1e-12; ) {
    change = 0;
    for (let s = 0; s < S; s++) {
      for (let a = 0; a < A && !terminal.has(s); a++) {
        let sum = 0;
        for (let next = 0; next < S; next++) {
          const at = (s * A + a) * S + next;
          const added = shaping(s, next, terminal.has(next));
          sum += transition[at]! * (reward[at]! + added + gamma * best(next));
        }
        change = Math.max(change, Math.abs(sum - values[s * A + a]!));
        values[s * A + a] = sum;
      }
    }
  }
  return values;
}

/** The best action in every state that is not terminal. */
export function greedyPolicy(mdp: Mdp, values: Float64Array): number[] {
  const { states: S, actions: A, terminal } = mdp;
  const policy: number[] = [];
  for (let s = 0; s < S; s++) {
    const row = [...values.subarray(s * A, (s + 1) * A)];
    policy.push(terminal.has(s) ? -1 : row.indexOf(Math.max(...row)));
  }
  return policy;
}
