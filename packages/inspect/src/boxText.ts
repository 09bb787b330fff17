import type { Box } from "./graphBoxes.ts";
import type { LayerFacts } from "./modelReport.ts";

/** A text of a box. */
export interface Cell {
  readonly text: string;
  readonly weight: "regular" | "bold";
  readonly align: "start" | "end";
}

/** Longest name, longest shape, in characters; longer ones lose their middle. */
const LONGEST = 40;
/** Kinds that a summary names. */
const MOST_KINDS = 4;

/**
 * A layer's row: kind, name, shape of the output, parameters.
 * @param before the layer of the row above; what it takes besides that one's output is told with its name
 */
export function cellsOfLayer(layer: LayerFacts, before: LayerFacts | undefined): Cell[] {
  const besides = before ? layer.inputs.filter((input) => input !== before.name) : [];
  const from = besides.length > 0 ? ` ← ${besides.map(shortened).join(", ")}` : "";
  const cell = (text: string, weight: Cell["weight"], align: Cell["align"]): Cell => ({
    text,
    weight,
    align,
  });
  return [
    cell(shortened(kindOf(layer)), "bold", "start"),
    cell(shortened(layer.name) + from, "regular", "start"),
    cell(shapeText(layer), "regular", "start"),
    cell(layer.parameters > 0 ? grouped(layer.parameters) : "", "regular", "end"),
  ];
}

/** What a box of many layers says: their kinds; the first and the last name; the shape that comes out, and parameters. */
export function linesOfSummary({ layers, times }: Box): Cell[] {
  const [first, last] = [layers[0]?.name ?? "", layers.at(-1)?.name ?? ""];
  const names = layers.length === 1 ? shortened(first) : `${shortened(first)} … ${shortened(last)}`;
  const parameters = layers.reduce((sum, layer) => sum + layer.parameters, 0);
  const counted =
    parameters > 0 ? `${grouped(parameters)} parameters${times > 1 ? " each" : ""}` : "";
  const facts = [shapeText(layers.at(-1)), counted].filter(Boolean).join(" · ");
  const repeated = times > 1 ? `${times} × (${kindsOf(layers)})` : kindsOf(layers);
  return [
    { text: repeated, weight: "bold", align: "start" },
    { text: names, weight: "regular", align: "start" },
    ...(facts === "" ? [] : [{ text: facts, weight: "regular", align: "start" } as const]),
  ];
}

/** "Conv 3×3 → Relu" of a few; "Conv (4), Relu (3), Add, … 9 layers" of many. */
function kindsOf(layers: readonly LayerFacts[]): string {
  if (layers.length <= MOST_KINDS) return layers.map(kindOf).map(shortened).join(" → ");
  const counts = new Map<string, number>();
  for (const { kind } of layers) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const shown = [...counts].slice(0, MOST_KINDS);
  const texts = shown.map(([kind, count]) => shortened(kind) + (count > 1 ? ` (${count})` : ""));
  const more = counts.size > MOST_KINDS ? ", …" : "";
  return `${texts.join(", ")}${more} · ${layers.length} layers`;
}

/** "conv2d 3×3 /2", "Dense relu": the kind with its window, its strides where they are not 1, its activation. */
function kindOf({ kind, settings }: LayerFacts): string {
  const size = pick(settings, ["size", "kernel_shape", "kernel_size", "pool_size"]);
  const strides = pick(settings, ["strides"]);
  const window = size === undefined ? "" : ` ${size.join("×")}`;
  const isMoving = strides?.some((stride) => stride !== 1) === true;
  const isEven = strides?.every((stride) => stride === strides[0]) === true;
  const moves = isMoving ? ` /${isEven ? strides[0] : strides.join("×")}` : "";
  const { activation } = settings;
  const after = typeof activation === "string" && activation !== "linear" ? ` ${activation}` : "";
  return kind === "Activation" ? activationOf(settings) : `${kind}${window}${moves}${after}`;
}

function activationOf({ activation }: LayerFacts["settings"]): string {
  return typeof activation === "string" ? `Activation ${activation}` : "Activation";
}

/** The first of these settings that is a list of numbers. */
function pick(
  settings: LayerFacts["settings"],
  names: readonly string[],
): readonly number[] | undefined {
  for (const name of names) {
    const value = settings[name];
    if (Array.isArray(value) && value.every((size) => typeof size === "number")) return value;
  }
  return undefined;
}

function shapeText(layer: LayerFacts | undefined): string {
  return layer?.shape == null ? "" : shortened(`[${layer.shape.join(", ")}]`);
}

/** 1234567 → "1,234,567" */
export function grouped(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ",");
}

function shortened(text: string): string {
  const characters = Array.from(text.replaceAll(/\s+/g, " "));
  if (characters.length <= LONGEST) return characters.join("");
  const kept = (LONGEST - 1) / 2;
  return `${characters.slice(0, Math.ceil(kept)).join("")}…${characters.slice(-Math.floor(kept)).join("")}`;
}
