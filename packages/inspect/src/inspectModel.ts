import { readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError, causeOf } from "@emotion-service/core/errors";
import { extensionOf, requireFile, statOf } from "@emotion-service/core/files/listFiles";

interface WeightFacts {
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
  /** "fusion", "isolation forest", or what the file says. */
  readonly kind: string;
  /** Everything that the model says of itself, except its weights and trees. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Of a network. */
  readonly weights?: readonly WeightFacts[];
  readonly parameters?: number;
  /** Of an isolation forest. */
  readonly forest?: ForestFacts;
  /** What is wrong with its files. */
  readonly problems: readonly string[];
}

/** Files that hold a PyTorch state dict, by ending. */
const STATE_DICTS = [".pth", ".pt", ".safetensors"];

/** Files of other programs that cannot be read, by ending. */
const OTHER_FORMATS: Readonly<Record<string, string>> = {
  ".joblib": "joblib",
  ".pkl": "pickle",
  ".h5": "HDF5",
  ".hdf5": "HDF5",
};

/**
 * Says what a trained model is.
 * @throws UserError when the path is missing, is of another program, or holds no model.
 */
export async function inspectModel(path: string): Promise<ModelReport> {
  const isFolder = statOf(path)?.isDirectory() === true;
  const jsonPath = isFolder ? join(path, "model.json") : path;
  if (!isFolder) requireFile(path, "<path>");
  if (!isFolder && STATE_DICTS.includes(extensionOf(path))) return stateDictReport(path);
  if (!isFolder && extensionOf(path) === ".onnx") return onnxReport(path);
  refuseOtherFormats(path);
  if (statOf(jsonPath) === undefined)
    throw new UserError("E_LAYOUT", `<path> ${path}: is no model folder, it lacks model.json`, {
      hint: "name a folder that train-multimodal wrote (multimodal_best) or a file of train-anomaly",
    });
  const { weights, trees, ...facts } = readJson(jsonPath);
  if (Array.isArray(trees)) return forestReport(path, facts, trees);
  if (Array.isArray(weights)) return networkReport(path, jsonPath, facts, weights);
  throw new UserError(
    "E_LAYOUT",
    `<path> ${path}: is JSON, but has neither 'weights' nor 'trees'`,
    {
      hint: "name a folder that train-multimodal wrote (multimodal_best) or a file of train-anomaly",
    },
  );
}

function refuseOtherFormats(path: string): void {
  const extension = extensionOf(path);
  const format = OTHER_FORMATS[extension];
  if (format === undefined) return;
  throw new UserError(
    "E_UNAVAILABLE",
    `<path> ${path}: this version does not read ${format} models (${extension})`,
    {
      hint:
        format === "HDF5"
          ? "inspect-h5 looks into HDF5 files"
          : "name a folder that train-multimodal wrote (multimodal_best) or a file of train-anomaly",
    },
  );
}

async function stateDictReport(path: string): Promise<ModelReport> {
  const { readStateDict } = await import("@emotion-service/core/interop/stateDict");
  const weights = [...(await readStateDict(path, "<path>"))].map(([name, { shape }]) => ({
    name,
    shape,
    dtype: "read as float32",
  }));
  const parameters = weights.reduce((sum, { shape }) => sum + product(shape), 0);
  return { path, kind: "PyTorch state dict", facts: {}, weights, parameters, problems: [] };
}

/** Its inputs, outputs and metadata; texts that are JSON, such as the classes of our own files, are shown as what they say. */
async function onnxReport(path: string): Promise<ModelReport> {
  const [{ readOnnxInfo }, { readWholeFile }] = await Promise.all([
    import("@emotion-service/core/onnx/readInfo"),
    import("@emotion-service/core/interop/wholeFile"),
  ]);
  const info = readOnnxInfo(readWholeFile(path, "<path>"), path);
  const values = (list: typeof info.inputs): Json =>
    Object.fromEntries(list.map(({ name, type, dims }) => [name, `${type} [${dims.join(", ")}]`]));
  const { inputs, outputs, externalFiles } = info;
  const metadata = Object.entries(info.metadata).map(([key, text]) => [key, parsed(text)]);
  const facts = {
    inputs: values(inputs),
    outputs: values(outputs),
    ...(externalFiles.length > 0 && { weights_in: externalFiles }),
    metadata: Object.fromEntries(metadata) as Json,
  };
  const missing = externalFiles.filter((name) => statOf(join(path, "..", name)) === undefined);
  const problems = missing.map((name) => `${join(path, "..", name)} is missing`);
  return { path, kind: "ONNX", facts, problems };
}

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : text;
  } catch {
    return text;
  }
}

type Json = Readonly<Record<string, unknown>>;

function readJson(path: string): Json {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (isObject(value)) return value;
    throw new Error("it must be an object");
  } catch (error) {
    throw new UserError(
      "E_INPUT_BROKEN",
      `<path> ${path}: cannot be read as JSON (${causeOf(error)})`,
      {
        hint: "it may be cut short or of another format; train again",
        cause: error,
      },
    );
  }
}

function networkReport(
  path: string,
  jsonPath: string,
  facts: Json,
  entries: readonly unknown[],
): ModelReport {
  const weights = entries.filter(isObject).map((entry): WeightFacts => ({
    name: textOf(entry["name"]),
    shape: numbersOf(entry["shape"]),
    dtype: textOf(entry["dtype"]),
  }));
  const parameters = weights.reduce((sum, { shape }) => sum + product(shape), 0);
  const needed = Math.max(
    0,
    ...entries.filter(isObject).map((entry) => {
      const bytes = BYTES[textOf(entry["dtype"])] ?? 4;
      return Number(entry["offset"] ?? 0) + bytes * product(numbersOf(entry["shape"]));
    }),
  );
  const kind = textOf(facts["kind"] ?? facts["format"]);
  const problems = weightProblems(join(jsonPath, "..", "weights.bin"), needed);
  return { path, kind, facts, weights, parameters, problems };
}

const BYTES: Readonly<Record<string, number>> = {
  float32: 4,
  int32: 4,
  float64: 8,
  bool: 1,
  uint8: 1,
};

function weightProblems(path: string, needed: number): string[] {
  const size = statOf(path)?.size;
  if (size === undefined) return [`${path} is missing`];
  if (size < needed) return [`${path} must have at least ${needed} bytes, has ${size}`];
  return [];
}

function forestReport(path: string, facts: Json, trees: readonly unknown[]): ModelReport {
  const shapes = trees.map((tree) => treeShape(isObject(tree) ? tree : {}));
  const depths = shapes.map(({ depth }) => depth);
  const forest: ForestFacts = {
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
  for (const [node, child] of left.entries()) {
    const below = (depths[node] ?? 0) + 1;
    if (child < 0) leaves += 1;
    else for (const index of [child, right[node] ?? -1]) if (index > node) depths[index] = below;
  }
  return { nodes: left.length, leaves, depth: Math.max(0, ...depths) };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "unknown";
}

/** A JSON object. */
export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function numbersOf(value: unknown): number[] {
  return Array.isArray(value) ? value.map(Number) : [];
}

function product(shape: readonly number[]): number {
  return shape.reduce((total, axis) => total * axis, 1);
}
