import { UserError } from "@emotion-service/core/errors";
import { shuffle } from "@emotion-service/core/random";
import { type Fractions, type Item, PARTS, type SplitPart, groupBy } from "./parts.ts";

/** What goes into a part as a whole. */
export interface Unit {
  /** Its name: the smallest of its groups. */
  readonly name: string;
  readonly items: readonly Item[];
  /** How many rows it has of each stratum (a class, and a modality where the two are split apart). */
  readonly counts: ReadonlyMap<string, number>;
}

/** Rows that belong together (a pair, or a single row) and the stratum they count for. */
export interface Atom {
  readonly items: readonly Item[];
  readonly stratum: string;
}

/** Joins atoms that share a group (so also a file), directly or through others, into units. */
export function unitsOf(atoms: readonly Atom[]): Unit[] {
  const parents = new Map<string, string>();
  const rootOf = (key: string): string => {
    let root = key;
    for (let up = parents.get(root); up !== undefined && up !== root; up = parents.get(root))
      root = up;
    for (let at = key; at !== root;) {
      const up = parents.get(at) ?? root;
      parents.set(at, root);
      at = up;
    }
    return root;
  };
  for (const { items } of atoms) {
    const roots = items.map(({ group }) => rootOf(group));
    for (const root of roots) parents.set(root, roots[0] ?? root);
  }
  const groups = groupBy(atoms, ({ items }) => rootOf(items[0]?.group ?? ""));
  return [...groups.values()].map((members) => {
    const counts = new Map<string, number>();
    for (const { stratum } of members) counts.set(stratum, (counts.get(stratum) ?? 0) + 1);
    const items = [...new Set(members.flatMap((member) => member.items))];
    const name = items.reduce(
      (least, { group }) => (group < least ? group : least),
      items[0]?.group ?? "",
    );
    return { name, items, counts };
  });
}

export interface AssignOptions {
  readonly fractions: Fractions;
  /** Seeded stream that orders units of about one size. */
  readonly random: () => number;
  /** What the units are, for the message when there are too few: "speakers". */
  readonly noun: string;
  /** Units that have a part: they count, and stay. */
  readonly already?: ReadonlyMap<Unit, SplitPart>;
  /** Parts that must get at least one of the units; default: every part with a fraction above 0. */
  readonly needy?: readonly SplitPart[];
}

/**
 * Divides units over the parts, each stratum in about the given fractions: large units first, each to the part where it
 * brings the counts nearest to their targets.
 * @throws UserError when there are fewer units than parts that need one
 */
export function assignUnits(units: readonly Unit[], options: AssignOptions): Map<Unit, SplitPart> {
  const { fractions, random, already = new Map<Unit, SplitPart>() } = options;
  const parts = partsOf(fractions);
  const needy = new Set(options.needy ?? parts);
  requireEnough(units, [...needy], options.noun);
  const totals = sumCounts([...units, ...already.keys()]);
  const counts = new Map(parts.map((part) => [part, new Map<string, number>()]));
  const add = (unit: Unit, part: SplitPart): void => {
    const of = counts.get(part);
    for (const [stratum, count] of unit.counts) of?.set(stratum, (of.get(stratum) ?? 0) + count);
  };
  for (const [unit, part] of already) add(unit, part);
  const assigned = new Map<Unit, SplitPart>();
  // by name first: the seed then decides alone, whatever the order of a manifest's lines
  const named = units.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const order = shuffle(named, random).toSorted((a, b) => magnitudeOf(b) - magnitudeOf(a));
  for (const [index, unit] of order.entries()) {
    const open = order.length - index <= needy.size ? [...needy] : parts;
    const part = leastOf(open, (candidate) =>
      growth(unit, counts.get(candidate) ?? new Map(), totals, fractions[candidate]),
    );
    add(unit, part);
    needy.delete(part);
    assigned.set(unit, part);
  }
  return assigned;
}

/** The parts that are to get anything. */
export function partsOf(fractions: Fractions): SplitPart[] {
  return PARTS.filter((part) => fractions[part] > 0);
}

/**
 * How much the squared distance from the targets, relative to each stratum's total, grows by adding a unit. All rows
 * together count as one more stratum: else classes of a few rows would round to nothing, one by one.
 */
function growth(
  unit: Unit,
  counts: ReadonlyMap<string, number>,
  totals: ReadonlyMap<string, number>,
  fraction: number,
): number {
  const term = (count: number, before: number, total: number): number =>
    (count * (count + 2 * (before - fraction * total))) / total;
  let sum = term(sizeOf(unit), sumOf(counts), sumOf(totals));
  for (const [stratum, count] of unit.counts)
    sum += term(count, counts.get(stratum) ?? 0, totals.get(stratum) ?? count);
  return sum;
}

/** Units that an error names. */
const NAMES_SHOWN = 5;

function requireEnough(units: readonly Unit[], parts: readonly SplitPart[], noun: string): void {
  if (units.length >= parts.length) return;
  const named = units.slice(0, NAMES_SHOWN).map(({ name }) => name);
  const names = named.length > 0 ? ` (${named.join(", ")})` : "";
  const some = units.length === 1 ? noun.replace(/s$/, "") : noun;
  throw new UserError(
    "E_SETTINGS",
    `--split: ${units.length} ${some}${names} cannot be split into ${parts.length} parts (${parts.join(", ")}) that share none`,
    { hint: "use --split none for one file, or --group_by none to let parts share a speaker" },
  );
}

/** Rows of each stratum, of all units together. */
export function sumCounts(units: readonly Unit[]): Map<string, number> {
  const totals = new Map<string, number>();
  for (const { counts } of units)
    for (const [stratum, count] of counts) totals.set(stratum, (totals.get(stratum) ?? 0) + count);
  return totals;
}

/** Whole powers of two of a unit's rows: units of one magnitude keep the seed's order, so that any of them may go anywhere. */
function magnitudeOf(unit: Unit): number {
  return Math.floor(Math.log2(sizeOf(unit)));
}

function sizeOf({ counts }: Unit): number {
  return sumOf(counts);
}

export function sumOf(counts: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
}

function leastOf<T extends string>(items: readonly T[], value: (item: T) => number): T {
  let [least] = items;
  let smallest = Infinity;
  for (const item of items) {
    const here = value(item);
    if (here < smallest) [least, smallest] = [item, here];
  }
  if (least === undefined) throw new Error("a split needs at least one part");
  return least;
}
