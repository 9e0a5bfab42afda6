/** Wilson score interval of a proportion, 95 % by default.
 * @source Wilson 1927; differs: none */
export function wilson(successes: number, trials: number, z = 1.959963984540054): readonly [number, number] {
  if (trials === 0) return [0, 1];
  const p = successes / trials;
  const z2 = (z * z) / trials;
  const center = (p + z2 / 2) / (1 + z2);
  const half = (z * Math.sqrt((p * (1 - p)) / trials + z2 / (4 * trials))) / (1 + z2);
  return [Math.max(0, center - half), Math.min(1, center + half)];
}

export interface PairedComparison {
  readonly both: number;
  readonly onlyFirst: number;
  readonly onlySecond: number;
  readonly neither: number;
  /** Two-sided exact p-value of McNemar's test: the discordant pairs against a fair coin. */
  readonly pValue: number;
}

/** Compares two policies on the same initial states.
 * @shape first, second [N], 1 = success of that episode
 * @source McNemar 1947, exact binomial form; differs: none */
export function comparePaired(first: Uint8Array, second: Uint8Array): PairedComparison {
  let both = 0;
  let onlyFirst = 0;
  let onlySecond = 0;
  for (let i = 0; i < first.length; i++) {
    if (first[i] && second[i]) both++;
    else if (first[i]) onlyFirst++;
    else if (second[i]) onlySecond++;
  }
  const neither = first.length - both - onlyFirst - onlySecond;
  return { both, onlyFirst, onlySecond, neither, pValue: exactSignTest(onlyFirst, onlySecond) };
}

function exactSignTest(a: number, b: number): number {
  const n = a + b;
  let logTerm = -n * Math.LN2;
  let tail = 0;
  for (let k = 0; k <= Math.min(a, b); k++) {
    tail += Math.exp(logTerm);
    logTerm += Math.log((n - k) / (k + 1));
  }
  return Math.min(1, 2 * tail);
}
