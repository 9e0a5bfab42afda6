import type { Allocation } from '#stl/allocation';
import { type Decomposition, isActive } from '#stl/decomposition';

/** Every allocation that keeps the constraints, for small decompositions. */
export function* everyAllocation(plan: Decomposition, most: number): Generator<Allocation> {
  let yielded = 0;
  for (const choices of everyOption(plan, 0, new Int32Array(plan.choices.length).fill(-1))) {
    for (const times of everyTime(plan, choices, 0, new Int32Array(plan.variables.length).fill(-1))) {
      if (++yielded > most) throw new Error(`more than ${most} allocations`);
      yield { choices, times };
    }
  }
}

function* everyOption(plan: Decomposition, choice: number, choices: Int32Array): Generator<Int32Array> {
  const next = plan.choices[choice];
  if (next === undefined) {
    yield choices;
  } else if (isActive(next.active, choices)) {
    for (let option = 0; option < next.options; option++) {
      yield* everyOption(plan, choice + 1, choices.with(choice, option));
    }
  } else {
    yield* everyOption(plan, choice + 1, choices);
  }
}

function* everyTime(
  plan: Decomposition,
  choices: Int32Array,
  variable: number,
  times: Int32Array,
): Generator<Int32Array> {
  // A constraint is looked at when the later of its variables has a time.
  const isBroken = plan.constraints.some(
    ({ left, right, bound, active }) =>
      Math.max(left, right) === variable - 1 &&
      isActive(active, choices) &&
      (left < 0 ? 0 : times[left]!) - (right < 0 ? 0 : times[right]!) > bound,
  );
  if (isBroken) return;
  const next = plan.variables[variable];
  if (next === undefined) {
    yield times;
  } else if (isActive(next.active, choices)) {
    for (let t = 0; t < plan.samples; t++) {
      yield* everyTime(plan, choices, variable + 1, times.with(variable, t));
    }
  } else {
    yield* everyTime(plan, choices, variable + 1, times);
  }
}
