import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isSklearnFile } from "@emotion-service/core/anomaly/sklearnFiles";
import { UserError, causeOf } from "@emotion-service/core/errors";
import { extensionOf, requireFile, statOf } from "@emotion-service/core/files/listFiles";
import { forestReport } from "./forestModel.ts";
import { type ModelReport, isObject } from "./modelReport.ts";

/** Files that hold a PyTorch state dict, by ending. */
const STATE_DICTS = [".pth", ".pt", ".safetensors"];

/** Files of other programs that cannot be read, by ending. */
const OTHER_FORMATS: Readonly<Record<string, string>> = {
  ".h5": "HDF5",
  ".hdf5": "HDF5",
};

const NAME_A_MODEL =
  "name a folder that train-multimodal wrote (multimodal_best), a file of train-anomaly, or a model.json of TensorFlow.js";

export interface InspectModelOptions {
  /** The picture of the graph to write: .svg or .png. */
  readonly plot?: string | undefined;
}

/**
 * Says what a trained model is, and draws its graph where that is asked for.
 * @throws UserError when the path is missing, is of another program, or holds no model; or has no graph to draw
 */
export async function inspectModel(
  path: string,
  { plot }: InspectModelOptions = {},
): Promise<ModelReport> {
  if (plot === undefined) return await reportOf(path);
  if (STATE_DICTS.includes(extensionOf(path)))
    throw new UserError(
      "E_FLAG",
      `--plot ${plot}: cannot be drawn of ${path}: a state dict holds tensors by name, not how they are used`,
      { hint: "export the network and name that file: torch.onnx.export(model, x, 'model.onnx')" },
    );
  const { plotModel } = await import("./plotModel.ts");
  return await plotModel(path, plot, () => reportOf(path));
}

async function reportOf(path: string): Promise<ModelReport> {
  const isFolder = statOf(path)?.isDirectory() === true;
  if (!isFolder) requireFile(path, "<path>");
  const extension = isFolder ? "" : extensionOf(path);
  if (STATE_DICTS.includes(extension)) {
    const { stateDictReport } = await import("./stateDictModel.ts");
    return await stateDictReport(path);
  }
  if (extension === ".onnx") {
    const { onnxReport } = await import("./onnxModel.ts");
    return onnxReport(path);
  }
  if (isSklearnFile(path) && !isFolder) {
    const { sklearnReport } = await import("./pythonModels.ts");
    return sklearnReport(path);
  }
  refuseOtherFormats(path, extension);
  return await jsonReport(path, isFolder ? join(path, "model.json") : path);
}

function refuseOtherFormats(path: string, extension: string): void {
  const format = OTHER_FORMATS[extension];
  if (format === undefined) return;
  throw new UserError(
    "E_UNAVAILABLE",
    `<path> ${path}: this version does not read ${format} models (${extension})`,
    { hint: format === "HDF5" ? "inspect-h5 looks into HDF5 files" : NAME_A_MODEL },
  );
}

/** Ours, an isolation forest, or one of TensorFlow.js: its keys say which. */
async function jsonReport(path: string, jsonPath: string): Promise<ModelReport> {
  if (statOf(jsonPath) === undefined)
    throw new UserError("E_LAYOUT", `<path> ${path}: is no model folder, it lacks model.json`, {
      hint: NAME_A_MODEL,
    });
  const json = readJson(jsonPath);
  if (isManifest(json) || "modelTopology" in json || "weightsManifest" in json) {
    const { tfjsReport } = await import("./tfjsModel.ts");
    return await tfjsReport(path, jsonPath, isManifest(json) ? { weightsManifest: json } : json);
  }
  const { weights, trees, ...facts } = json;
  if (Array.isArray(trees)) return forestReport(path, facts, trees);
  if (Array.isArray(weights)) {
    const { ownReport } = await import("./ownModel.ts");
    return ownReport(path, jsonPath, facts, weights);
  }
  throw new UserError(
    "E_LAYOUT",
    `<path> ${path}: is JSON, but has neither 'weights' nor 'trees' nor 'modelTopology'`,
    { hint: NAME_A_MODEL },
  );
}

type JsonModel = Readonly<Record<string, unknown>> | Manifest;
type Manifest = readonly Readonly<Record<string, unknown>>[];

function readJson(path: string): JsonModel {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (isObject(value) || isManifest(value)) return value;
    throw new Error("it must be an object");
  } catch (error) {
    throw new UserError(
      "E_INPUT_BROKEN",
      `<path> ${path}: cannot be read as JSON (${causeOf(error)})`,
      {
        hint: "it may be cut short or of another format; make it again, or copy it whole",
        cause: error,
      },
    );
  }
}

/** Weights of TensorFlow.js alone, as face-api's package has them. */
function isManifest(value: unknown): value is Manifest {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((group) => isObject(group) && "weights" in group && "paths" in group)
  );
}
