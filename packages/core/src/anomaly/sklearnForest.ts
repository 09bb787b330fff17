import { basename } from "node:path";
import { damaged, printable, unsupported } from "../interop/failures.ts";
import { readJoblib } from "../interop/joblib.ts";
import {
  type NumpyArray,
  fieldNumbers,
  isArray,
  numbersOf,
  storedBytes,
} from "../interop/numpy.ts";
import { type PythonObject, isPythonObject } from "../interop/pickledObject.ts";
import { readWholeFile } from "../interop/wholeFile.ts";
import type { Contamination, IsolationForest } from "./forest.ts";
import { type Scaler, scaleThresholds } from "./scaler.ts";
import { type Tree, isTree } from "./tree.ts";

const FOREST = "sklearn.ensemble._iforest.IsolationForest";
const SCALER = "sklearn.preprocessing._data.StandardScaler";
const TREE = "sklearn.tree._tree.Tree";
const HINT =
  'in Python: joblib.dump({"model": forest, "scaler": scaler}, "isolation_forest.joblib")';

/** The most columns, and rows of a tree, that are believed. */
const MOST = 2 ** 24;

/** A forest of scikit-learn with what its file says of it. */
export interface SklearnForest {
  /** Its scores are those of scikit-learn on the same rows, not yet scaled where the file has a scaler. */
  readonly forest: IsolationForest;
  /** "scikit-learn 1.6.1", or without a number where the file does not say. */
  readonly importedFrom: string;
  /** Whether a StandardScaler of the same dict is within the thresholds. */
  readonly scaled: boolean;
  /** Rows that it was fitted on; null where the file does not say. */
  readonly trainingRows: number | null;
  /** Of `random_state`; null where that was no number. */
  readonly seed: number | null;
}

/**
 * Reads a fitted sklearn.ensemble.IsolationForest, of scikit-learn 1.0 to 1.9, from a file of joblib.dump or pickle.dump: bare,
 * or in a dict, where a StandardScaler beside it is applied to the rows before the forest. Nothing in the file is run.
 * `flag` names where the path came from.
 * @throws UserError E_INPUT_MISSING without the file; E_INPUT_BROKEN for a damaged one; E_LAYOUT for what is no such forest
 */
export function readSklearnForest(path: string, flag: string): SklearnForest {
  return sklearnForestOfBytes(readWholeFile(path, flag), basename(path));
}

/** The same for the bytes of a file; `name` is for messages. */
export function sklearnForestOfBytes(bytes: Uint8Array, name: string): SklearnForest {
  const { value, byteLength } = readJoblib(bytes, name);
  const found = instancesIn(value);
  const state = attributesOf(requireOne(found, FOREST, name), name);
  const forest = forestOf(state, byteLength, name);
  const scalers = found.filter(({ className }) => className === SCALER);
  const scaler =
    scalers.length === 0
      ? undefined
      : scalerOf(attributesOf(requireOne(scalers, SCALER, name), name), forest.nFeatures, name);
  const version = state.get("_sklearn_version");
  return {
    forest: scaler === undefined ? forest : scaleThresholds(forest, scaler),
    importedFrom:
      typeof version === "string" ? `scikit-learn ${printable(version)}` : "scikit-learn",
    scaled: scaler !== undefined,
    trainingRows: countOf(state.get("_n_samples")) ?? null,
    seed: countOf(state.get("random_state")) ?? null,
  };
}

type Attributes = ReadonlyMap<unknown, unknown>;

/** The instances of classes in a value, each once: itself, or those in a dict and the dicts in it. */
function instancesIn(value: unknown): PythonObject[] {
  const seen = new Set<unknown>();
  const visit = (inner: unknown): void => {
    if (seen.has(inner) || !(isPythonObject(inner) || inner instanceof Map)) return;
    seen.add(inner);
    if (inner instanceof Map) inner.forEach(visit);
  };
  visit(value);
  return [...seen].filter(isPythonObject);
}

function requireOne(
  instances: readonly PythonObject[],
  wanted: string,
  name: string,
): PythonObject {
  const fitting = instances.filter(({ className }) => className === wanted);
  const [first] = fitting;
  if (first !== undefined && fitting.length === 1) return first;
  const found = [...new Set(instances.map(({ className }) => className))].join(", ");
  throw unsupported(
    name,
    `must hold one ${wanted}, alone or in a dict, holds ${fitting.length}${found === "" ? "" : ` (in it: ${found})`}`,
    HINT,
  );
}

function attributesOf({ state, className }: PythonObject, name: string): Attributes {
  if (state instanceof Map) return state;
  throw damaged(name, `a ${className} without attributes`);
}

function forestOf(state: Attributes, byteLength: number, name: string): IsolationForest {
  if (!state.has("estimators_"))
    throw unsupported(name, "must hold a fitted forest, holds one without trees", HINT);
  const nFeatures = requireCount(state, "n_features_in_", name);
  const maxSamples = state.has("_max_samples") ? "_max_samples" : "max_samples_"; // 1.0 has the latter alone
  return {
    trees: readTrees(state, nFeatures, byteLength, name),
    nFeatures,
    maxSamples: requireCount(state, maxSamples, name),
    contamination: contaminationOf(state.get("contamination"), name),
    offset: requireNumber(state, "offset_", name),
  };
}

/** The trees. Their arrays together are no larger than the file: one that a file names twice is read as often. */
function readTrees(state: Attributes, nFeatures: number, byteLength: number, name: string): Tree[] {
  const estimators = state.get("estimators_");
  if (!Array.isArray(estimators) || estimators.length === 0)
    throw damaged(name, "a forest without trees");
  const features = state.get("estimators_features_");
  let stored = 0;
  const count = (array: unknown): NumpyArray => {
    if (!isArray(array)) throw damaged(name, "a tree without its arrays");
    stored += storedBytes(array);
    if (stored > byteLength) throw damaged(name, "trees that share their arrays");
    return array;
  };
  return estimators.map((estimator: unknown, t) => {
    const tree = treeOf(count(nodesOf(estimator, name)), name);
    const own = Array.isArray(features) ? numbersOf(count(features[t]), name) : undefined;
    const placed = own === undefined ? tree : withColumns(tree, own);
    if (!isTree(placed, nFeatures) || !placed.threshold.every(Number.isFinite))
      throw damaged(name, "a tree whose nodes do not fit together");
    return placed;
  });
}

function nodesOf(estimator: unknown, name: string): unknown {
  if (!isPythonObject(estimator)) throw damaged(name, "a forest whose trees are none");
  const tree = attributesOf(estimator, name).get("tree_");
  if (!isPythonObject(tree) || tree.className !== TREE)
    throw damaged(name, `a ${estimator.className} without a tree`);
  return attributesOf(tree, name).get("nodes");
}

/** Of the fields of a node, which differ from version to version, those that scoring needs. */
function treeOf(nodes: NumpyArray, name: string): Tree {
  const integers = (field: string): Int32Array => Int32Array.from(fieldNumbers(nodes, field, name));
  return {
    feature: integers("feature"),
    threshold: fieldNumbers(nodes, "threshold", name),
    left: integers("left_child"),
    right: integers("right_child"),
    nNodeSamples: integers("n_node_samples"),
  };
}

/** A tree's features count its own columns: with max_features below 1 those are some of the rows'. */
function withColumns(tree: Tree, columns: Float64Array): Tree {
  return { ...tree, feature: tree.feature.map((own) => (own < 0 ? own : (columns[own] ?? -1))) };
}

function contaminationOf(value: unknown, name: string): Contamination {
  if (value === "auto" || (typeof value === "number" && Number.isFinite(value))) return value;
  throw damaged(name, "a contamination that is neither a number nor 'auto'");
}

/** What StandardScaler.transform does: minus the mean where with_mean, divided by the scale where with_std. */
function scalerOf(state: Attributes, nFeatures: number, name: string): Scaler {
  const values = (attribute: string, used: unknown, fill: number): Float64Array => {
    const array = state.get(attribute);
    if (used !== true) return new Float64Array(nFeatures).fill(fill);
    const numbers = isArray(array) ? numbersOf(array, name) : new Float64Array();
    if (numbers.length === nFeatures && numbers.every(Number.isFinite)) return numbers;
    throw unsupported(
      name,
      `its StandardScaler must have ${nFeatures} values in ${attribute}, as the forest has columns; it has ${numbers.length}`,
      HINT,
    );
  };
  const mean = values("mean_", state.get("with_mean"), 0);
  const scale = values("scale_", state.get("with_std"), 1);
  if (!scale.every((value) => value > 0))
    throw damaged(name, "a scaler whose scale is not above 0");
  return { mean, scale };
}

function requireNumber(state: Attributes, attribute: string, name: string): number {
  const value = state.get(attribute);
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw damaged(name, `a forest whose ${attribute} is no number`);
}

function requireCount(state: Attributes, attribute: string, name: string): number {
  const count = countOf(state.get(attribute));
  if (count !== undefined && count > 0 && count <= MOST) return count;
  throw damaged(name, `a forest whose ${attribute} is no number from 1 to ${MOST}`);
}

function countOf(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}
