import type { Draws } from '#core/draws';

/** Order out of comparisons: strengths that explain who was preferred to whom, and which pairs to compare next. */

export interface Comparison {
  readonly winner: number;
  readonly loser: number;
}

/** Log-strengths s with P(i beats j) = 1 / (1 + exp(s_j - s_i)), by minorisation and maximisation. Everybody has also won
 * and lost `prior` times against one of strength 0, so that the strengths of those who won or lost all are finite, and
 * one who was not compared has 0.
 * @shape result [count]
 * @source Hunter 2004, MM algorithms for generalized Bradley-Terry models; differs: the virtual opponent */
export function bradleyTerry(count: number, comparisons: readonly Comparison[], prior = 0.5): Float64Array {
  const wins = new Float64Array(count).fill(prior);
  for (const { winner } of comparisons) wins[winner]!++;
  let strength: Float64Array = new Float64Array(count).fill(1);
  for (let iteration = 0; iteration < 5000; iteration++) {
    const rate = strength.map((own) => (2 * prior) / (own + 1));
    for (const { winner, loser } of comparisons) {
      const meeting = 1 / (strength[winner]! + strength[loser]!);
      rate[winner]! += meeting;
      rate[loser]! += meeting;
    }
    const next = wins.map((won, i) => won / rate[i]!);
    const change = Math.max(...next.map((value, i) => Math.abs(Math.log(value / strength[i]!))));
    strength = next;
    if (change < 1e-10) break;
  }
  return strength.map(Math.log);
}

/** How often each is expected to beat one of the others. @shape result [count], in [0, 1] */
export function expectedWins(strengths: Float64Array): Float64Array {
  const n = strengths.length;
  if (n === 1) return Float64Array.of(0.5);
  return strengths.map((own) => {
    let sum = -0.5; // against itself
    for (const other of strengths) sum += 1 / (1 + Math.exp(other - own));
    return sum / (n - 1);
  });
}

/** Rounds in which a tournament of `count` makes about count log2(count) comparisons. */
export function enoughRounds(count: number): number {
  return 2 * Math.ceil(Math.log2(Math.max(2, count)));
}

export interface Ranking {
  /** @shape [count] */
  readonly strengths: Float64Array;
  readonly decided: readonly Comparison[];
  /** Comparisons asked for, decided or not. */
  readonly asked: number;
}

/** A Swiss tournament: in each round those meet that stand next to each other and have not met yet.
 * @param compare the better of the two; undefined where that cannot be told
 * @param draws for the order of the first round */
export async function swissTournament(
  count: number,
  rounds: number,
  compare: (a: number, b: number) => Promise<number | undefined>,
  draws: Draws,
): Promise<Ranking> {
  const decided: Comparison[] = [];
  const met = new Set<number>();
  const lot = Array.from({ length: count }, () => draws.uniform());
  let strengths: Float64Array = new Float64Array(count);
  for (let round = 0; round < rounds; round++) {
    const order = [...lot.keys()].sort((a, b) => strengths[b]! - strengths[a]! || lot[a]! - lot[b]!);
    const pairs = neighbours(order, met);
    if (pairs.length === 0) break;
    const winners = await Promise.all(pairs.map(([a, b]) => compare(a, b)));
    for (const [k, [a, b]] of pairs.entries()) {
      met.add(meeting(a, b));
      const winner = winners[k];
      if (winner !== undefined) decided.push({ winner, loser: winner === a ? b : a });
    }
    strengths = bradleyTerry(count, decided);
  }
  return { strengths, decided, asked: met.size };
}

function neighbours(order: readonly number[], met: ReadonlySet<number>): [number, number][] {
  const free = [...order];
  const pairs: [number, number][] = [];
  while (free.length > 1) {
    const a = free.shift()!;
    const at = free.findIndex((b) => !met.has(meeting(a, b)));
    if (at >= 0) pairs.push([a, free.splice(at, 1)[0]!]);
  }
  return pairs;
}

function meeting(a: number, b: number): number {
  return Math.min(a, b) * 0x100000 + Math.max(a, b);
}
