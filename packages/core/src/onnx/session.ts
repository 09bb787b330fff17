import { createRequire } from "node:module";
import type { Device } from "../devices.ts";
import { UserError, causeOf } from "../errors.ts";

/** What we use of onnxruntime-node, which is optional: not even its types may be needed. */
export interface OnnxRuntime {
  readonly Tensor: new (type: string, data: TensorData, dims: readonly number[]) => OrtTensor;
  readonly InferenceSession: {
    create(model: string | Uint8Array, options: SessionOptions): Promise<OrtSession>;
  };
  readonly env: { logLevel?: string; readonly versions: { readonly node?: string } };
  listSupportedBackends(): { readonly name: string; readonly bundled: boolean }[];
}
interface OrtTensor {
  readonly type: string;
  readonly data: unknown;
  readonly dims: readonly number[];
}
interface OrtSession {
  run(
    inputs: Readonly<Record<string, OrtTensor>>,
    outputs?: readonly string[],
  ): Promise<Readonly<Record<string, OrtTensor>>>;
  release(): Promise<void>;
}
interface SessionOptions {
  readonly executionProviders: readonly string[];
  readonly graphOptimizationLevel: "all";
  readonly intraOpNumThreads?: number;
  readonly logSeverityLevel: number;
}

type TensorData = Float32Array | Uint8Array | Int32Array | BigInt64Array;
export interface SessionInput {
  readonly data: TensorData;
  readonly dims: readonly number[];
}
export interface SessionOutput {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

/** A network that is ready to run. */
export interface Session {
  /** Its outputs by name, or those of them that are asked for. */
  run(
    inputs: Readonly<Record<string, SessionInput>>,
    outputs?: readonly string[],
  ): Promise<Readonly<Record<string, SessionOutput>>>;
  dispose(): Promise<void>;
}

/** Only what ends the process is logged: all else comes as an exception. */
const LOG_NOTHING = { name: "fatal", level: 4 } as const;

const DEVICE_HINTS: Readonly<Record<Device, string>> = {
  auto: "",
  cpu: "",
  cuda: "it needs Linux on x64, an NVIDIA driver, CUDA 12, cuDNN 9 and the CUDA files of onnxruntime-node (node packages/core/node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12 fetches them); or use the device cpu",
  webgpu: "it needs a GPU with a Vulkan, Metal or Direct3D 12 driver; or use the device cpu",
};

const require = createRequire(import.meta.url);

export type LoadedRuntime =
  | { readonly ok: true; readonly ort: OnnxRuntime }
  | { readonly ok: false; readonly cause: string };

/** Loads ONNX Runtime, or says why it does not load: it is optional, and there is none for some platforms. */
export function loadOnnxRuntime(): LoadedRuntime {
  try {
    const ort = require("onnxruntime-node") as OnnxRuntime;
    ort.env.logLevel = LOG_NOTHING.name;
    return { ok: true, ort };
  } catch (error) {
    return { ok: false, cause: causeOf(error) };
  }
}

/**
 * Makes a network of an .onnx file ready.
 * @param model its path, or its bytes
 * @param settings threads: of one run, as many as the machine has cores unless said; device: "auto" is "cpu"
 * @throws UserError E_UNAVAILABLE when the device is not there, E_INPUT_BROKEN when the model cannot be used
 */
export async function createSession(
  ort: OnnxRuntime,
  model: string | Uint8Array,
  { threads, device = "auto" }: { readonly threads?: number; readonly device?: Device } = {},
): Promise<Session> {
  const provider = device === "auto" ? "cpu" : device;
  requireProvider(ort, provider);
  const options: SessionOptions = {
    executionProviders: [provider],
    graphOptimizationLevel: "all",
    logSeverityLevel: LOG_NOTHING.level,
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
  };
  const session = await ort.InferenceSession.create(model, options).catch((error: unknown) => {
    throw cannotCreate(error, model, provider);
  });
  return {
    run: (inputs, outputs) => run(ort, session, inputs, outputs),
    dispose: () => session.release(),
  };
}

function requireProvider(ort: OnnxRuntime, provider: Device): void {
  const names = ort.listSupportedBackends().map(({ name }) => name);
  if (names.includes(provider)) return;
  throw new UserError(
    "E_UNAVAILABLE",
    `the device ${provider}: this ONNX Runtime has ${names.join(", ")}`,
    { hint: DEVICE_HINTS[provider] },
  );
}

function cannotCreate(error: unknown, model: string | Uint8Array, provider: Device): UserError {
  const options = { hint: DEVICE_HINTS[provider], cause: error };
  if (provider !== "cpu")
    return new UserError(
      "E_UNAVAILABLE",
      `the device ${provider}: does not start (${causeOf(error)})`,
      options,
    );
  const name = typeof model === "string" ? model : "the ONNX model";
  return new UserError("E_INPUT_BROKEN", `${name}: cannot be used (${causeOf(error)})`, {
    hint: "make the file again, or copy it whole, with the files of its weights where it has such",
    cause: error,
  });
}

async function run(
  ort: OnnxRuntime,
  session: OrtSession,
  inputs: Readonly<Record<string, SessionInput>>,
  wanted: readonly string[] | undefined,
): Promise<Record<string, SessionOutput>> {
  const feeds = Object.entries(inputs).map(
    ([name, { data, dims }]) => [name, new ort.Tensor(typeOf(data), data, dims)] as const,
  );
  const outputs = await session.run(Object.fromEntries(feeds), wanted);
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { data, dims }]) => {
      if (data instanceof Float32Array) return [name, { data, dims }];
      throw new UserError("E_LAYOUT", `the ONNX model: its output '${name}' must be float32`);
    }),
  );
}

function typeOf(data: TensorData): string {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Uint8Array) return "uint8";
  return data instanceof Int32Array ? "int32" : "int64";
}
