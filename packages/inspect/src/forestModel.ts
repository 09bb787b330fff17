import { type Json, type ModelReport, isObject, numbersOf } from "./modelReport.ts";

/** An isolation forest that train-anomaly wrote; `facts` is what the file says, but for its trees. */
export function forestReport(path: string, facts: Json, trees: readonly unknown[]): ModelReport {
  const shapes = trees.map((tree) => treeShape(isObject(tree) ? tree : {}));
  const depths = shapes.map(({ depth }) => depth);
  const forest = {
    trees: trees.length,
    nodes: shapes.reduce((sum, { nodes }) => sum + nodes, 0),
    leaves: shapes.reduce((sum, { leaves }) => sum + leaves, 0),
    max_depth: Math.max(0, ...depths),
    mean_depth: depths.reduce((sum, depth) => sum + depth, 0) / Math.max(1, depths.length),
  };
  const damaged = shapes.filter(({ nodes }) => nodes === 0).length;
  const problems = damaged > 0 ? [`${damaged} of ${trees.length} trees have no nodes`] : [];
  return { path, kind: "isolation forest", facts, forest, problems };
}

/** A tree is lists of left and right children a node, -1 at a leaf; children come after their parent. */
function treeShape(tree: Json): { nodes: number; leaves: number; depth: number } {
  const [left, right] = [numbersOf(tree["left"]), numbersOf(tree["right"])];
  const depths = left.map(() => 0);
  let leaves = 0;
  let depth = 0;
  for (const [node, child] of left.entries()) {
    const below = (depths[node] ?? 0) + 1;
    depth = Math.max(depth, below - 1);
    if (child < 0) leaves += 1;
    else for (const index of [child, right[node] ?? -1]) if (index > node) depths[index] = below;
  }
  return { nodes: left.length, leaves, depth };
}
