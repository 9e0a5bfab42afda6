import type { ContainerData } from '#core/container';
import { Cells } from '#learn/tgpo/cells';
import type { StageTracker } from '#learn/tgpo/stages';

export interface CostShape {
  /** P of a sample. */
  readonly predicates: number;
  /** Of a cell, in robustness. */
  readonly size: number;
  /** Mean cost of where episodes start. */
  readonly start: number;
}

/** How many explored cells lie between a situation and the end of its plan, on the shortest way that was seen: a sense of
 * direction that knows what is in the way, as straight-line robustness does not. */
export class CostToGo {
  readonly #cells: Cells;
  readonly #shape: CostShape;
  readonly #costs: ReadonlyMap<string, number>;

  /** @param costs by the keys of cells */
  constructor(costs: ReadonlyMap<string, number>, shape: CostShape) {
    this.#cells = new Cells(shape.predicates, shape.size);
    this.#shape = shape;
    this.#costs = costs;
  }

  /** In parts of what it is at the start; undefined where no way is known. @param predicates predicate p at offset + p */
  of(tracker: StageTracker, row: number, predicates: Float64Array, offset: number): number | undefined {
    const cost = this.#costs.get(this.#cells.keyOf(tracker, row, predicates, offset));
    return cost === undefined ? undefined : cost / this.#shape.start;
  }

  /** What a checkpoint keeps. */
  arrays(): Readonly<Record<string, ContainerData>> {
    const { predicates, size, start } = this.#shape;
    const keys = [...this.#costs.keys()];
    const width = keys[0]?.length ?? 0;
    const cells = Int32Array.from({ length: keys.length * width }, (_, i) =>
      keys[Math.floor(i / width)]!.charCodeAt(i % width),
    );
    const costs = Int32Array.from(this.#costs.values());
    return { cells, costs, shape: Float64Array.of(predicates, size, start) };
  }

  static from(arrays: Readonly<Record<string, ContainerData>>): CostToGo {
    const [predicates, size, start] = arrays['shape'] as Float64Array;
    const cells = arrays['cells'] as Int32Array;
    const costs = arrays['costs'] as Int32Array;
    const width = cells.length / Math.max(1, costs.length);
    const entries = Array.from(costs, (cost, i): [string, number] => [
      String.fromCharCode(...cells.subarray(i * width, (i + 1) * width)),
      cost,
    ]);
    return new CostToGo(new Map(entries), { predicates: predicates!, size: size!, start: start! });
  }
}
