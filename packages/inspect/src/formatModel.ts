import { table } from "@emotion-service/core/cli/table";
import { type LayerFacts, type ModelReport, type WeightFacts, isObject } from "./modelReport.ts";

/** Longest value that is shown, in characters. */
const LINE = 160;
/** Longest list whose items are shown. */
const LIST = 16;

/** A report as text: what it is, what it says of itself, its layers, its weights or trees. */
export function formatModel(report: ModelReport): string {
  const { path, kind, facts, labels, layers, weights, forest, plot, problems } = report;
  const lines = [
    `${path}: ${plain(kind)}`,
    ...(labels !== undefined && !("classes" in facts) ? [`  labels: ${listText(labels)}`] : []),
    ...factLines(facts, 1),
  ];
  if (forest !== undefined)
    lines.push(
      "",
      `${forest.trees} trees, ${forest.nodes} nodes (${forest.leaves} leaves), depth at most ${forest.max_depth}, on average ${forest.mean_depth.toFixed(1)}`,
    );
  if (layers !== undefined) lines.push("", layerTable(layers));
  if (weights !== undefined) lines.push("", ...weightTable(weights), totals(report));
  if (plot !== undefined) lines.push("", `graph drawn: ${plot}`);
  return [...lines, ...problems.map((problem) => `! ${plain(problem)}`)].join("\n");
}

function layerTable(layers: readonly LayerFacts[]): string {
  return table([
    ["layer", "kind", "output shape", "parameters"],
    ...layers.map(({ name, kind, shape, parameters }) => [
      name === "" ? "(no module)" : plain(name),
      plain(kind),
      shape === null ? "?" : plain(`[${shape.join(", ")}]`),
      parameters,
    ]),
  ]);
}

function weightTable(weights: readonly WeightFacts[]): string[] {
  if (weights.length === 0) return [];
  return [
    table([
      ["weight", "shape", "dtype"],
      ...weights.map(({ name, shape, dtype }) => [
        plain(name),
        `[${shape.join(", ")}]`,
        plain(dtype),
      ]),
    ]),
  ];
}

/** "26 layers, 20 weights, 1234 parameters (1200 trainable)" */
function totals({ layers, weights = [], parameters, trainable }: ModelReport): string {
  const unit = layers?.every(({ kind }) => kind === "module") === true ? "module" : "layer";
  const counted = layers === undefined ? "" : `${count(layers.length, unit)}, `;
  const moved = trainable === undefined ? "" : ` (${trainable} trainable)`;
  return `${counted}${count(weights.length, "weight")}, ${parameters} parameters${moved}`;
}

function count(number: number, unit: string): string {
  return `${number} ${unit}${number === 1 ? "" : "s"}`;
}

function factLines(facts: Readonly<Record<string, unknown>>, depth: number): string[] {
  const indent = "  ".repeat(depth);
  return Object.entries(facts).flatMap(([name, value]) => {
    const inner = isObject(value) ? factLines(value, depth + 1) : [];
    if (inner.length > 0) return [`${indent}${plain(name)}:`, ...inner];
    return [`${indent}${plain(name)}: ${isObject(value) ? "none" : valueText(value)}`];
  });
}

function listText(values: readonly unknown[]): string {
  if (values.length > LIST || values.some((item) => typeof item === "object" && item !== null))
    return `(${values.length} values)`;
  return plain(values.map(String).join(", "));
}

function valueText(value: unknown): string {
  if (Array.isArray(value)) return listText(value);
  const text = plain(typeof value === "string" ? value : JSON.stringify(value));
  return text.length > LINE ? `${text.slice(0, LINE - 1)}…` : text;
}

/** A text out of a file on one line: a terminal must not obey it. */
function plain(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, " ");
}
