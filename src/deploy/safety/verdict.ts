/** What the filter made of a proposal, and why. The verdicts are constants: a tick allocates none. */

/** What the caller may find wrong with an observation or a policy. */
export const invalidReasons = [
  'observation_not_finite',
  'observation_incomplete',
  'policy_not_finite',
  'policy_late',
  'guard_violated',
  'not_following',
] as const;
export type InvalidReason = (typeof invalidReasons)[number];

export const stopReasons = [
  'emergency_stop',
  ...invalidReasons,
  'no_proposal',
  'wrong_size',
  'wrong_names',
  'not_finite',
  'stale',
  'not_started',
] as const;
export type StopReason = (typeof stopReasons)[number];

export const limitReasons = [
  'position',
  'velocity',
  'acceleration',
  'jerk',
  'stopping_distance',
  'catching_up',
  'speed',
  'workspace',
] as const;
/** stopping_distance: a stop from the proposal would overrun a limit. catching_up: the proposal is within limits, and
 * is joined without overshoot first. speed: the operator's speed scaling. */
export type LimitReason = (typeof limitReasons)[number];

export type Verdict =
  /** The command is the proposal, bit for bit. */
  | { readonly kind: 'pass' }
  /** The command is as near to the proposal as the limits allow. */
  | { readonly kind: 'limit'; readonly reason: LimitReason }
  /** The arm decelerates, whatever is proposed. */
  | { readonly kind: 'stop'; readonly reason: StopReason }
  /** It is at rest and stays there. */
  | { readonly kind: 'hold'; readonly reason: StopReason }
  /** It was at rest for long enough: the node should deactivate. Proposals are refused until the next start. */
  | { readonly kind: 'deactivate'; readonly reason: StopReason };

export const passed: Verdict = Object.freeze({ kind: 'pass' });

function table<Kind extends string, Reason extends string>(kind: Kind, reasons: readonly Reason[]) {
  return Object.fromEntries(
    reasons.map((reason) => [reason, Object.freeze({ kind, reason })]),
  ) as unknown as Readonly<Record<Reason, { readonly kind: Kind; readonly reason: Reason }>>;
}

export const limited = table('limit', limitReasons);
export const stopped = table('stop', stopReasons);
export const held = table('hold', stopReasons);
export const deactivated = table('deactivate', stopReasons);

/** `stop: stale`. */
export function verdictText(verdict: Verdict): string {
  return verdict.kind === 'pass' ? 'pass' : `${verdict.kind}: ${verdict.reason}`;
}

/** How often each verdict was given. */
export class VerdictCounts {
  readonly #counts = new Map<Verdict, number>();

  add(verdict: Verdict): void {
    this.#counts.set(verdict, (this.#counts.get(verdict) ?? 0) + 1);
  }

  /** `stop: stale` and its count, the most frequent first. */
  entries(): (readonly [string, number])[] {
    return [...this.#counts]
      .map(([verdict, count]) => [verdictText(verdict), count] as const)
      .sort((a, b) => b[1] - a[1]);
  }

  clear(): void {
    this.#counts.clear();
  }
}
