/** Sizes of a tensor; a text names a size, "?" one that is not known. */
export type ModelShape = readonly (number | string)[];

export interface LayerFacts {
  /** Unlike every other of the model. */
  readonly name: string;
  /** What it does, in the words of its format: "dense", "Conv", "Conv2D". */
  readonly kind: string;
  /** Names of the layers whose outputs it takes. */
  readonly inputs: readonly string[];
  /** Of its first output; null: the file does not say. */
  readonly shape: ModelShape | null;
  /** Values of its weights. */
  readonly parameters: number;
  /** Units, windows, rates and the like, under the format's names. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface WeightFacts {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
}

interface ForestFacts {
  readonly trees: number;
  /** Nodes and leaves of all trees. */
  readonly nodes: number;
  readonly leaves: number;
  /** Steps from the root to the deepest leaf: of the deepest tree, and on average over the trees. */
  readonly max_depth: number;
  readonly mean_depth: number;
}

/** What `--json` prints. */
export interface ModelReport {
  readonly path: string;
  /** "fusion", "isolation forest", "ONNX", or what the file says. */
  readonly kind: string;
  /** Everything that the model says of itself, except its layers, weights and trees. */
  readonly facts: Json;
  /** Names of the classes, in the order of the outputs, where the file has them. */
  readonly labels?: readonly string[];
  /** In an order in which each comes after its inputs. */
  readonly layers?: readonly LayerFacts[];
  readonly weights?: readonly WeightFacts[];
  /** Values of all weights. */
  readonly parameters?: number;
  /** Those among them that training moves by a gradient, where that can be told. */
  readonly trainable?: number;
  /** Of an isolation forest. */
  readonly forest?: ForestFacts;
  /** The picture that was drawn. */
  readonly plot?: string;
  /** What is wrong with its files. */
  readonly problems: readonly string[];
}

export type Json = Readonly<Record<string, unknown>>;

/** A JSON object. */
export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "unknown";
}

export function numbersOf(value: unknown): number[] {
  return Array.isArray(value) ? value.map(Number) : [];
}

export function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

/** A list in a file of JSON; none is an empty one. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** How many values tensors of these shapes have together. */
export function valuesOf(weights: readonly Pick<WeightFacts, "shape">[]): number {
  return sum(weights.map(({ shape }) => product(shape)));
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

export function product(shape: readonly number[]): number {
  return shape.reduce((total, size) => total * size, 1);
}
