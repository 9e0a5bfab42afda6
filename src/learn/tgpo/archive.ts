import type { Draws } from '#core/draws';

/** A cell that was reached. */
interface Cell<Situation> {
  readonly key: string;
  /** The earliest that was seen in it, and its sample. */
  situation: Situation;
  time: number;
  /** How often exploration set out from it. */
  begun: number;
  isStart: boolean;
  isGoal: boolean;
  /** Cells from which it was entered. */
  readonly before: Set<number>;
}

/** Of how many that are drawn the least explored cell is taken. */
const CANDIDATES = 8;

/** Cells that were reached and the ways between them.
 * @source Ecoffet et al. 2021, "First return, then explore", arXiv:2004.12919; differs: progress is drawn first, then a
 * cell that exploration rarely set out from; states are restored, not reached again; the ways are kept as a graph */
export class Archive<Situation> {
  readonly #cells: Cell<Situation>[] = [];
  readonly #index = new Map<string, number>();
  /** By the progress of their plans. */
  readonly #groups = new Map<string, number[]>();
  readonly #groupList: number[][] = [];

  get size(): number {
    return this.#cells.length;
  }

  /** The cell of that key; made where it is new.
   * @param time sample of the episode: an earlier situation replaces the one that is kept */
  enter(key: string, progress: string, time: number, situation: () => Situation): number {
    const index = this.#index.get(key);
    if (index === undefined) return this.#add(key, progress, time, situation());
    const cell = this.#cells[index]!;
    if (time < cell.time) {
      cell.time = time;
      cell.situation = situation();
    }
    return index;
  }

  #add(key: string, progress: string, time: number, situation: Situation): number {
    const index = this.#cells.length;
    const cell = { key, situation, time, begun: 0, isStart: false, isGoal: false, before: new Set<number>() };
    this.#cells.push(cell);
    this.#index.set(key, index);
    let group = this.#groups.get(progress);
    if (!group) {
      group = [];
      this.#groups.set(progress, group);
      this.#groupList.push(group);
    }
    group.push(index);
    return index;
  }

  connect(from: number, to: number): void {
    if (from !== to) this.#cells[to]!.before.add(from);
  }

  markStart(cell: number): void {
    this.#cells[cell]!.isStart = true;
  }

  /** From here everything is done. */
  markGoal(cell: number): void {
    this.#cells[cell]!.isGoal = true;
  }

  /** A cell to set out from. */
  choose(draws: Draws): { readonly cell: number; readonly situation: Situation } {
    const group = this.#groupList[draws.below(this.#groupList.length)]!;
    let chosen = group[draws.below(group.length)]!;
    for (let i = 1; i < CANDIDATES; i++) {
      const other = group[draws.below(group.length)]!;
      if (this.#cells[other]!.begun < this.#cells[chosen]!.begun) chosen = other;
    }
    const cell = this.#cells[chosen]!;
    cell.begun++;
    return { cell: chosen, situation: cell.situation };
  }

  /** Fewest steps between cells on the way to a goal, breadth first, by key; cells without a way are left out.
   * @returns the mean over the starts that have a way beside them, NaN where none has */
  costs(): { readonly costs: Map<string, number>; readonly start: number } {
    const costs = new Map<string, number>();
    let frontier = this.#cells.filter(({ isGoal }) => isGoal);
    for (let cost = 0; frontier.length > 0; cost++) {
      const next: Cell<Situation>[] = [];
      for (const { key, before } of frontier) {
        if (costs.has(key)) continue;
        costs.set(key, cost);
        for (const index of before) next.push(this.#cells[index]!);
      }
      frontier = next;
    }
    const starts = this.#cells.flatMap(({ isStart, key }) => (isStart ? (costs.get(key) ?? []) : []));
    return { costs, start: starts.reduce((sum, cost) => sum + cost, 0) / starts.length };
  }

  /** Situations with a way to a goal that fits between their sample and `last`, a cell a sample, by progress.
   * @param most of each progress, evenly among all */
  situations(costs: ReadonlyMap<string, number>, last: number, most: number): Situation[][] {
    const inTime = ({ key, time }: Cell<Situation>): boolean =>
      time + (costs.get(key) ?? Number.POSITIVE_INFINITY) <= last;
    return this.#groupList
      .map((group) => group.map((index) => this.#cells[index]!).filter(inTime))
      .filter((cells) => cells.length > 0)
      .map((cells) => {
        const count = Math.min(most, cells.length);
        return Array.from({ length: count }, (_, i) => {
          const at = Math.floor((i * cells.length) / count);
          return cells[at]!.situation;
        });
      });
  }
}
