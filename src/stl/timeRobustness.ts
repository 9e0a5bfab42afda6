import { robustness } from '#stl/evaluate';
import type { Formula, SemanticsOptions } from '#stl/formula';
import type { PredicateSignals } from '#stl/sampled';

/** By how many samples the signals may be shifted before the verdict turns: positive where the formula holds, its size the
 * least shift of one predicate that would turn it (Donzé, Maler 2010; differs: 1 instead of 0 where the very next sample
 * turns, so that the sign is the verdict at every sample).
 * @param truth per predicate 1 or -1, from `truthSignals`
 * @param direction `late`: the signals come too soon by that much, samples ahead count; `early`: samples behind count
 * @shape truth[p], out [T] */
export function timeRobustness(
  formula: Formula,
  truth: PredicateSignals,
  direction: 'late' | 'early' = 'late',
  options: Partial<SemanticsOptions> = {},
): Float64Array {
  const runs = truth.map((signal) =>
    direction === 'early' ? runLengths(signal) : runLengths(signal.toReversed()).reverse(),
  );
  return robustness(formula, runs, options);
}

/** At each sample, for how many samples up to it the sign has been the same; signed. */
function runLengths(signal: Float64Array): Float64Array {
  let run = 0;
  return signal.map((value) => {
    run = Math.sign(run) === value ? run + value : value;
    return run;
  });
}
