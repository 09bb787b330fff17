import type { Tensor } from "@tensorflow/tfjs";
import { CREATED_BY } from "../hdf5/format.ts";
import type { Graph, Weights } from "../model/graph.ts";
import { exportGraph } from "../onnx/exportGraph.ts";
import {
  type LoadedRuntime,
  type OnnxRuntime,
  createSession,
  loadOnnxRuntime,
} from "../onnx/session.ts";

export type FaceEngine = "onnxruntime" | "tensorflow.js wasm";

/**
 * Runs a network of one input.
 * @param values of the input, [rows, …], such as pixels [images, height, width, 3], 0 to 255
 * @returns its output, row-major
 */
export type RunNet = (values: Float32Array, rows: number) => Promise<Float32Array>;

/** What runs the networks. */
export interface LoadedFaceEngine {
  readonly name: FaceEngine;
  create(graph: Graph, weights: Weights): Promise<RunNet>;
}

export interface FaceEngineOptions {
  readonly onNotice?: ((line: string) => void) | undefined;
  /** In place of what is installed, for a test. */
  readonly runtime?: LoadedRuntime;
}

/** ONNX Runtime where it loads, else TensorFlow.js on WebAssembly, which is told: the same networks, several times slower. */
export async function loadFaceEngine({
  onNotice,
  runtime = loadOnnxRuntime(),
}: FaceEngineOptions = {}): Promise<LoadedFaceEngine> {
  if (runtime.ok) return onnxEngine(runtime.ort);
  onNotice?.(
    `ONNX Runtime does not load (${runtime.cause}): TensorFlow.js on wasm runs the face networks`,
  );
  return wasmEngine();
}

/** The name of the output in the ONNX file. */
const OUTPUT = "output";
/** Of one run: pictures go to worker threads, and networks this small have little to share out. */
const THREADS = 1;

function onnxEngine(ort: OnnxRuntime): LoadedFaceEngine {
  return {
    name: "onnxruntime",
    create: async (graph, weights) => {
      const bytes = exportGraph(graph, weights, {
        name: "face",
        outputs: [{ name: OUTPUT, layer: graph.output }],
        metadata: {},
        createdBy: CREATED_BY,
      });
      const session = await createSession(ort, bytes, { threads: THREADS });
      const { name, sizes } = inputOf(graph);
      return async (data, rows) => {
        const outputs = await session.run({ [name]: { data, dims: [rows, ...sizes] } });
        const output = outputs[OUTPUT];
        if (output === undefined) throw new Error("the network has no output");
        return output.data.slice(); // in memory of our own, that another thread can take over
      };
    },
  };
}

async function wasmEngine(): Promise<LoadedFaceEngine> {
  const [{ loadTensorFlow }, { createNetwork }] = await Promise.all([
    import("../model/backend.ts"),
    import("../model/network.ts"),
  ]);
  const { tf } = await loadTensorFlow("wasm");
  return {
    name: "tensorflow.js wasm",
    create: async (graph, weights) => {
      const network = createNetwork(tf, graph, weights);
      const { name, sizes } = inputOf(graph);
      return async (data, rows) => {
        const output: Tensor = tf.tidy(() =>
          network.forward({ [name]: tf.tensor(data, [rows, ...sizes]) }, { training: false }),
        );
        const values = output.dataSync<"float32">();
        output.dispose();
        return Float32Array.from(values);
      };
    },
  };
}

/** The name of a network's input, and its sizes but for the batch. */
function inputOf({ layers }: Graph): { readonly name: string; readonly sizes: number[] } {
  const input = layers.find(({ op }) => op === "input");
  if (input === undefined) throw new Error("the network has no input");
  return { name: input.name, sizes: input.shape.slice(1).map((size) => size ?? 0) };
}
