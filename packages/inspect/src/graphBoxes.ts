import type { LayerFacts } from "./modelReport.ts";

/** Layers that are drawn as one box, in the order in which they run. */
export interface Box {
  readonly layers: readonly LayerFacts[];
  /** How many boxes alike follow one another; `layers` are the first's. */
  readonly times: number;
}

export interface BoxGraph {
  readonly boxes: readonly Box[];
  /** Places in `boxes`, each pair once, the first before the second. */
  readonly edges: readonly (readonly [from: number, to: number])[];
  /** Whether there are too many layers to name each. */
  readonly isSummary: boolean;
}

/** More layers than that are not named one by one. */
const MOST_ROWS = 100;
/** More boxes than that are put together. */
const MOST_BOXES = 40;
/** Fewer blocks than that say nothing of a large network. */
const FEWEST_BOXES = 5;
/** Lines that edges pass by, of all edges together: more take the layout longer than seconds. */
const MOST_PASSES = 1000;
/** A tensor that lives longer, as a part of all boxes, crosses blocks: a mask, a skip from end to end. */
const LONG_LIFE = 0.25;
/** Longest pattern of blocks that is found again behind itself. */
const LONGEST_PATTERN = 6;

/**
 * What is drawn of a network. Layers that follow one another, each the only one that takes the output before it, are one
 * box; each is a row of it in a network of at most 100 layers. Of a larger one, while there are more than 40 boxes or too
 * many edges between them: boxes between two places where one tensor alone goes on become one (a residual block); patterns
 * of such blocks that come again at once become one with its number of times; whatever is left is cut into runs.
 */
export function graphBoxes(layers: readonly LayerFacts[]): BoxGraph {
  const all = sorted(graphOf(layers));
  let graph = sorted(merged(all, chainsOf(all)));
  const isSummary = all.boxes.length > MOST_ROWS || passesOf(graph) > MOST_PASSES;
  const steps = isSummary ? [inBlocks, folded, cut] : [];
  for (const step of steps) if (isLarge(graph)) graph = step(graph);
  return { ...graph, isSummary };
}

function isLarge(graph: Graph): boolean {
  return graph.boxes.length > MOST_BOXES || passesOf(graph) > MOST_PASSES;
}

type Graph = Pick<BoxGraph, "boxes" | "edges">;

function isInput({ layers: [first] }: Box): boolean {
  return first?.kind === "input" || first?.kind === "InputLayer" || first?.kind === "Placeholder";
}

/** A box a layer. */
function graphOf(layers: readonly LayerFacts[]): Graph {
  const places = new Map(layers.map(({ name }, place) => [name, place]));
  const edges = layers.flatMap(({ inputs }, to) =>
    [...new Set(inputs)].flatMap((input) => {
      const from = places.get(input);
      return from === undefined || from === to ? [] : [[from, to] as const];
    }),
  );
  return { boxes: layers.map((layer) => ({ layers: [layer], times: 1 })), edges };
}

/** For each box the boxes at the other end of its edges, in order. */
function neighbours({ boxes, edges }: Graph, end: "from" | "to"): readonly (readonly number[])[] {
  const found = boxes.map((): number[] => []);
  for (const [from, to] of edges)
    if (end === "from") found[to]?.push(from);
    else found[from]?.push(to);
  return found;
}

/**
 * The boxes in an order in which each comes after those before it, a branch as far as it goes before the next begins. Edges
 * of a circle, which a broken file may have, are left out.
 */
function sorted(graph: Graph): Graph {
  const consumers = neighbours(graph, "to");
  const missing = neighbours(graph, "from").map(({ length }) => length);
  const ready = missing.flatMap((count, box) => (count === 0 ? [box] : [])).reverse();
  const order: number[] = [];
  for (let box = ready.pop(); box !== undefined; box = ready.pop()) {
    order.push(box);
    for (const next of (consumers[box] ?? []).toReversed()) {
      missing[next] = (missing[next] ?? 0) - 1;
      if (missing[next] === 0) ready.push(next);
    }
  }
  const placed = new Set(order);
  for (const box of graph.boxes.keys()) if (!placed.has(box)) order.push(box);
  const places = new Map(order.map((box, place) => [box, place]));
  return {
    boxes: order.flatMap((box) => graph.boxes[box] ?? []),
    edges: graph.edges
      .map(([from, to]) => [places.get(from) ?? 0, places.get(to) ?? 0] as const)
      .filter(([from, to]) => from < to),
  };
}

/** For each box the first of its chain. Inputs and outputs stand alone; an input beside what comes down does not break a chain. */
function chainsOf(graph: Graph): number[] {
  const [producers, consumers] = [neighbours(graph, "from"), neighbours(graph, "to")];
  const heads: number[] = [];
  for (const [place, box] of graph.boxes.entries()) {
    const [before, ...others] = (producers[place] ?? []).filter(
      (from) => !isInput(graph.boxes[from] ?? box),
    );
    const isAlone = before !== undefined && others.length === 0 && consumers[before]?.length === 1;
    const isOutput = box.layers[0]?.kind === "output";
    heads.push(isAlone && !isOutput ? (heads[before] ?? before) : place);
  }
  return heads;
}

/** The graph with a block a box; where all is one block since tensors go from end to end, without regard to those. */
function inBlocks(graph: Graph): Graph {
  const blocks = merged(graph, blocksOf(graph, Infinity));
  if (blocks.boxes.length >= FEWEST_BOXES) return blocks;
  return merged(graph, blocksOf(graph, LONG_LIFE * graph.boxes.length));
}

/**
 * For each box the first of its block. A block ends where one tensor alone goes on, that of its last box.
 * @param longest boxes that a tensor may pass and count; one that lives longer and the network's inputs cross blocks
 */
function blocksOf(graph: Graph, longest: number): number[] {
  const changes = graph.boxes.map(() => 0); // of the number of tensors that pass a box by
  for (const [from, to] of neighbours(graph, "to").entries()) {
    const [box, last] = [graph.boxes[from], to.reduce((a, b) => Math.max(a, b), from)];
    if (box === undefined || isInput(box) || last - from <= 1 || last - from > longest) continue;
    changes[from + 1] = (changes[from + 1] ?? 0) + 1;
    changes[last] = (changes[last] ?? 0) - 1;
  }
  let [head, passing] = [0, 0];
  return changes.map((change, place) => {
    const own = head;
    passing += change;
    if (passing === 0) head = place + 1;
    return own;
  });
}

/** The graph cut into runs of boxes, as many as can be drawn. */
function cut(graph: Graph): Graph {
  let found = graph;
  for (let runs = MOST_BOXES; isLarge(found); runs = Math.floor(runs / 2)) {
    const length = Math.ceil(found.boxes.length / Math.max(1, runs));
    found = merged(
      found,
      found.boxes.map((_, place) => place - (place % length)),
    );
  }
  return found;
}

/** How many lines edges pass by, each box being a line below the lowest of those before it, inputs just above their first taker. */
function passesOf(graph: Graph): number {
  const lines: number[] = [];
  for (const from of neighbours(graph, "from"))
    lines.push(from.reduce((most, box) => Math.max(most, (lines[box] ?? 0) + 1), 0));
  const starts = neighbours(graph, "to").map((to, box) => {
    if (lines[box] !== 0) return lines[box] ?? 0;
    return to.reduce((least, taker) => Math.min(least, lines[taker] ?? 0), Infinity) - 1;
  });
  return graph.edges.reduce(
    (sum, [from, to]) => sum + (lines[to] ?? 0) - (starts[from] ?? 0) - 1,
    0,
  );
}

/** The graph with the boxes of one head as one, in the order of the heads. */
function merged({ boxes, edges }: Graph, heads: readonly number[]): Graph {
  const members = new Map<number, LayerFacts[]>();
  for (const [place, { layers, times }] of boxes.entries()) {
    const list = members.get(heads[place] ?? place) ?? [];
    for (let i = 0; i < times; i += 1) list.push(...layers);
    members.set(heads[place] ?? place, list);
  }
  const places = new Map([...members.keys()].map((head, place) => [head, place]));
  const seen = new Set<string>();
  const between = edges
    .map(
      ([from, to]) => [places.get(heads[from] ?? 0) ?? 0, places.get(heads[to] ?? 0) ?? 0] as const,
    )
    .filter(([from, to]) => from !== to && !seen.has(`${from},${to}`) && seen.add(`${from},${to}`));
  return { boxes: [...members.values()].map((layers) => ({ layers, times: 1 })), edges: between };
}

/** The graph with a pattern of boxes that comes again at once as one box, and its number of times. */
function folded(graph: Graph): Graph {
  const kinds = graph.boxes.map(({ layers }) =>
    layers.map(({ kind, parameters }) => `${kind} ${parameters}`).join(),
  );
  const heads: number[] = [];
  const repeats = new Map<number, { readonly pattern: number; readonly times: number }>();
  for (let place = 0; place < kinds.length; place = heads.length) {
    const found = repeatAt(kinds, place);
    if (found.times > 1) repeats.set(place, found);
    for (let i = 0; i < found.pattern * found.times; i += 1) heads.push(place);
  }
  const { boxes, edges } = merged(graph, heads);
  const starts = [...new Set(heads)];
  return {
    boxes: boxes.map((box, index) => {
      const { times = 1 } = repeats.get(starts[index] ?? -1) ?? {};
      return { layers: box.layers.slice(0, box.layers.length / times), times };
    }),
    edges,
  };
}

/** The pattern from a place on that covers most when it is repeated; else the one box, once. */
function repeatAt(kinds: readonly string[], place: number) {
  let best = { pattern: 1, times: 1 };
  for (let pattern = 1; pattern <= LONGEST_PATTERN; pattern += 1) {
    let end = place + pattern;
    while (end < kinds.length && kinds[end] === kinds[end - pattern]) end += 1;
    const times = Math.floor((end - place) / pattern);
    if (times > 1 && pattern * times > best.pattern * best.times) best = { pattern, times };
  }
  return best;
}
