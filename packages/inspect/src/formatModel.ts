import { table } from "@emotion-service/core/cli/table";
import { type ModelReport, isObject } from "./inspectModel.ts";

/** Longest value that is shown, in characters. */
const LINE = 160;
/** Longest list whose items are shown. */
const LIST = 16;

/** A report as text: what it is, what it says of itself, its weights or trees. */
export function formatModel({
  path,
  kind,
  facts,
  weights,
  parameters,
  forest,
  problems,
}: ModelReport): string {
  const lines = [`${path}: ${kind}`, ...factLines(facts, 1)];
  if (forest !== undefined)
    lines.push(
      "",
      `${forest.trees} trees, ${forest.nodes} nodes (${forest.leaves} leaves), depth at most ${forest.max_depth}, on average ${forest.mean_depth.toFixed(1)}`,
    );
  if (weights !== undefined)
    lines.push(
      "",
      table([
        ["weight", "shape", "dtype"],
        ...weights.map(({ name, shape, dtype }) => [name, `[${shape.join(", ")}]`, dtype]),
      ]),
      `${weights.length} weights, ${parameters} parameters${weights.some(standardises) ? ", those of standardisation among them" : ""}`,
    );
  return [...lines, ...problems.map((problem) => `! ${problem}`)].join("\n");
}

/** Whether a weight of a network of ours is no learnt one, but of the training set. */
function standardises({ name }: { readonly name: string }): boolean {
  return name.endsWith(".deviation");
}

function factLines(facts: Readonly<Record<string, unknown>>, depth: number): string[] {
  const indent = "  ".repeat(depth);
  return Object.entries(facts).flatMap(([name, value]) => {
    if (isObject(value)) return [`${indent}${name}:`, ...factLines(value, depth + 1)];
    return [`${indent}${name}: ${valueText(value)}`];
  });
}

function valueText(value: unknown): string {
  if (Array.isArray(value)) {
    if (value.length > LIST || value.some((item) => typeof item === "object" && item !== null))
      return `(${value.length} values)`;
    return value.map(String).join(", ");
  }
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > LINE ? `${text.slice(0, LINE - 1)}…` : text;
}
