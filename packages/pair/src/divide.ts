import { UserError, causeOf } from "@emotion-service/core/errors";
import { type Fractions, type Item, PARTS, type Part, type SplitPart } from "./parts.ts";
import { type Placement, notListed, placeUnits } from "./publishedSplit.ts";
import { type Atom, type Unit, assignUnits, partsOf, sumCounts, sumOf, unitsOf } from "./split.ts";

export interface DivideOptions {
  /** undefined: no split, or the published one. */
  readonly fractions: Fractions | undefined;
  /** Where a published split puts each group; stands above `fractions`. */
  readonly placement: Placement | undefined;
  /** Whether data that cannot be split is an error; else it stays whole. */
  readonly splitRequired: boolean;
  /** What a group is, in the plural: "speakers". */
  readonly groupNoun: string;
}

/** Which part each row goes to. */
interface Partition {
  readonly partOf: ReadonlyMap<Item, Part>;
  readonly notSplit: string | undefined;
  /** What was asked for, or what a published split comes to; undefined where nothing is split. */
  readonly fractions: Fractions | undefined;
}

interface DivideRules {
  /** Units that are divided first, so that every part has some. */
  readonly isCore: (unit: Unit) => boolean;
  /** Rows of which every part must have some after that. */
  readonly isNeeded: (item: Item) => boolean;
}

/**
 * Divides rows over the parts, those that share a group (or a file) together.
 * @param random seeded stream that orders units of about one size
 * @throws UserError when a split that was asked for is impossible
 */
export function divide(
  atoms: readonly Atom[],
  options: DivideOptions,
  random: () => number,
  rules: DivideRules,
): Partition {
  const units = unitsOf(atoms);
  const { placement, fractions } = options;
  const whole = { partOf: wholeOf(units), notSplit: undefined, fractions: undefined };
  if (units.length === 0) return whole;
  const cores = units.filter(rules.isCore);
  const first = cores.length > 0 ? cores : units;
  if (placement !== undefined) {
    const already = placeUnits(units, placement);
    const lost = first.filter((unit) => !already.has(unit)).map(({ name }) => name);
    if (lost.length > 0) throw notListed(placement.name, lost.toSorted(), "rows without a speaker");
    return divideRest(units, already, sharesOf(first, already), random, rules);
  }
  if (fractions === undefined) return whole;
  try {
    const already = assignUnits(first, { fractions, random, noun: options.groupNoun });
    return divideRest(units, already, fractions, random, rules);
  } catch (error) {
    if (options.splitRequired || !(error instanceof UserError)) throw error;
    return { ...whole, notSplit: causeOf(error) };
  }
}

/** Divides the units that have no part yet. */
function divideRest(
  units: readonly Unit[],
  already: ReadonlyMap<Unit, SplitPart>,
  fractions: Fractions,
  random: () => number,
  { isNeeded }: DivideRules,
): Partition {
  const needy = partsOf(fractions).filter(
    (part) => ![...already].some(([unit, own]) => own === part && unit.items.some(isNeeded)),
  );
  const rest = units.filter((unit) => !already.has(unit));
  const later = assignUnits(rest, { fractions, random, noun: "image groups", already, needy });
  const partOf = new Map<Item, Part>();
  for (const [{ items }, part] of [...already, ...later])
    for (const item of items) partOf.set(item, part);
  return { partOf, notSplit: undefined, fractions };
}

function wholeOf(units: readonly Unit[]): Map<Item, Part> {
  return new Map(units.flatMap(({ items }) => items.map((item) => [item, "all"] as const)));
}

/** The share of the rows that each part has. */
function sharesOf(units: readonly Unit[], partOf: ReadonlyMap<Unit, SplitPart>): Fractions {
  const rows = PARTS.map((part) =>
    sumOf(sumCounts(units.filter((unit) => partOf.get(unit) === part))),
  );
  const total = rows.reduce((sum, count) => sum + count, 0);
  const [train = 0, val = 0, test = 0] = rows.map((count) => count / total);
  return { train, val, test };
}
