import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Device } from "../devices.ts";
import { UserError } from "../errors.ts";
import { readWholeFile } from "../interop/wholeFile.ts";
import { loadTensorFlow } from "../model/backend.ts";
import { type Checkpoint, checkpointShape } from "../model/checkpoint.ts";
import { MODALITIES, createFusion, inputNames } from "../model/fusion.ts";
import { ONNX_FILE } from "../model/modelFolder.ts";
import type { Batch } from "../model/rowSource.ts";
import { predictBatch } from "../model/fusionLearner.ts";
import { exportFusion, fusionMetadata } from "./fusionOnnx.ts";
import { readOnnxInfo } from "./readInfo.ts";
import {
  type OnnxRuntime,
  type Session,
  type SessionInput,
  createSession,
  loadOnnxRuntime,
} from "./session.ts";

/** A classifier that is ready to run. */
export interface Classifier {
  readonly checkpoint: Pick<Checkpoint, "classes" | "encoders" | "matchBy">;
  /** What runs it, such as "onnxruntime 1.30.0 (cpu)" or "tensorflow.js (wasm)". */
  readonly engine: string;
  /** Probabilities, [rows, classes]. */
  classify(rows: ClassifierRows): Promise<Float32Array>;
  dispose(): Promise<void>;
}
type ClassifierRows = Pick<Batch, "rows" | "parts">;
type Engine = Omit<Classifier, "checkpoint">;

interface ClassifierOptions {
  /** Threads of one run: as many as the machine has cores unless said. */
  readonly threads?: number;
  readonly device?: Device;
  readonly onNotice: (line: string) => void;
  /** In place of what is installed, for a test. */
  readonly runtime?: ReturnType<typeof loadOnnxRuntime>;
}

/**
 * The classifier of a checkpoint folder, in ONNX Runtime; in TensorFlow.js where that does not load, which is told.
 * @throws UserError E_UNAVAILABLE when a device other than the CPU is asked for and does not start
 */
export async function loadClassifier(
  folder: string,
  checkpoint: Checkpoint,
  { threads, device = "auto", onNotice, runtime = loadOnnxRuntime() }: ClassifierOptions,
): Promise<Classifier> {
  if (runtime.ok) {
    const settings = { device, ...(threads === undefined ? {} : { threads }) };
    const start = (model: string | Uint8Array): Promise<Session> =>
      createSession(runtime.ort, model, settings);
    const session = await startClassifier(folder, checkpoint, start, onNotice);
    return { checkpoint, ...onOnnxRuntime(runtime.ort, session, device) };
  }
  if (device !== "auto" && device !== "cpu")
    throw new UserError(
      "E_UNAVAILABLE",
      `the device ${device}: ONNX Runtime, which runs it, does not load (${runtime.cause})`,
      { hint: "install onnxruntime-node, or use the device cpu" },
    );
  return { checkpoint, ...(await onTensorFlow(checkpoint, runtime.cause, onNotice)) };
}

/** Starts the folder's own .onnx file where it is whole and of these weights, else one made now. */
async function startClassifier(
  folder: string,
  checkpoint: Checkpoint,
  start: (model: string | Uint8Array) => Promise<Session>,
  onNotice: (line: string) => void,
): Promise<Session> {
  const path = join(folder, ONNX_FILE);
  const shape = checkpointShape(checkpoint);
  if (existsSync(path))
    try {
      requireSameModel(
        readWholeFile(path, "--multimodal"),
        path,
        fusionMetadata(shape, checkpoint),
      );
      return await start(path);
    } catch (error) {
      if (!(error instanceof UserError) || error.code === "E_UNAVAILABLE") throw error;
      onNotice(`${error.message}: the model is taken from weights.bin`);
    }
  return start(exportFusion(shape, checkpoint));
}

/** @throws UserError where an .onnx file is not the one of this checkpoint */
function requireSameModel(
  bytes: Uint8Array,
  path: string,
  expected: Readonly<Record<string, string>>,
): void {
  const { metadata } = readOnnxInfo(bytes, path);
  // A file of a temperature of 1 does not name it.
  const other = [...Object.keys(expected), "temperature"].find(
    (key) => key !== "created_by" && metadata[key] !== expected[key],
  );
  if (other !== undefined)
    throw new UserError("E_SETTINGS", `${path}: is not of this model (its ${other} is another)`);
}

function onOnnxRuntime(ort: OnnxRuntime, session: Session, device: Device): Engine {
  const provider = device === "auto" ? "cpu" : device;
  return {
    engine: `onnxruntime ${ort.env.versions.node ?? ""} (${provider})`,
    classify: async ({ rows, parts }) => {
      const inputs: Record<string, SessionInput> = {};
      for (const modality of MODALITIES) {
        const part = parts[modality];
        if (part === undefined) continue;
        const names = inputNames(modality);
        inputs[names.values] = { data: part.values, dims: [rows, part.values.length / rows] };
        inputs[names.present] = { data: part.present, dims: [rows, 1] };
      }
      const { probabilities } = await session.run(inputs);
      if (probabilities === undefined) throw new Error("the model has no probabilities");
      return probabilities.data;
    },
    dispose: () => session.dispose(),
  };
}

async function onTensorFlow(
  checkpoint: Checkpoint,
  cause: string,
  onNotice: (line: string) => void,
): Promise<Engine> {
  const { tf, backend } = await loadTensorFlow();
  const model = createFusion(tf, checkpointShape(checkpoint), checkpoint.weights);
  onNotice(`ONNX Runtime does not load (${cause}): TensorFlow.js on ${backend} runs the model`);
  return {
    engine: `tensorflow.js (${backend})`,
    classify: ({ rows, parts }) => {
      const batch = { rows, parts, classIds: new Int32Array(rows) };
      return Promise.resolve(predictBatch(tf, model, batch, checkpoint.temperature));
    },
    dispose: () => Promise.resolve(model.dispose()),
  };
}
