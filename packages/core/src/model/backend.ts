import { createRequire } from "node:module";
import { UserError } from "../errors.ts";
import type { BackendChoice, TrainingDevice } from "./backendNames.ts";
import { registerFusedKernels } from "./fusedKernels.ts";
import { type KernelHost, hostBeside, hostInWasm } from "./kernelHost.ts";
import { registerNativeKernels } from "./nativeKernels.ts";
import { registerWasmKernels } from "./wasmKernels.ts";

export type Tf = typeof import("@tensorflow/tfjs");

export interface TensorFlow {
  readonly tf: Tf;
  /** "tensorflow", "wasm" or "cpu" */
  readonly backend: string;
  /** Why this one, for the user. */
  readonly reason: string;
}

/** Packages that bring the native TensorFlow binding, where somebody installed one. */
const NATIVE_PACKAGES = ["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"];

const require = createRequire(import.meta.url);

/**
 * Loads TensorFlow.js. "auto" takes the native binding where it loads, else WebAssembly; on the device "auto", a GPU where
 * the binding sees one. `asked` is how the user asked for the backend.
 * @throws UserError E_UNAVAILABLE when the native binding is asked for and does not load, or a GPU and there is none
 */
export async function loadTensorFlow(
  choice: BackendChoice = "auto",
  { asked = `--backend ${choice}`, device = "auto" }: LoadOptions = {},
): Promise<TensorFlow> {
  if (choice === "auto" || choice === "tensorflow") {
    const native = await loadNative(device);
    if (native !== undefined) return native;
    if (choice === "tensorflow" || device === "cuda")
      throw new UserError(
        "E_UNAVAILABLE",
        `${device === "cuda" ? "--device cuda" : asked}: the native TensorFlow binding does not load`,
        {
          hint: "set it up with pnpm native-tensorflow, or leave the flag out (WebAssembly needs nothing)",
        },
      );
  }
  const tf = requireTf();
  if (choice === "cpu") {
    await tf.setBackend("cpu");
    (tf.backend() as { firstUse?: boolean }).firstUse = false; // at which it prints an advertisement
    return { tf, backend: "cpu", reason: "asked for (slow: plain JavaScript)" };
  }
  await startWasm(tf);
  registerWasmKernels(tf, startKernels(tf, hostInWasm));
  const reason =
    choice === "wasm"
      ? "asked for"
      : "the native TensorFlow binding does not load (pnpm native-tensorflow sets it up)";
  return { tf, backend: "wasm", reason };
}

interface LoadOptions {
  readonly asked?: string;
  readonly device?: TrainingDevice;
}

/** The native binding, ready; undefined where it does not load. */
async function loadNative(device: TrainingDevice): Promise<TensorFlow | undefined> {
  prepareForNative(device);
  const native = NATIVE_PACKAGES.find(loads);
  const tf = requireTf();
  if (native === undefined || !(await tf.setBackend("tensorflow"))) return undefined;
  // The tensors of a GPU are out of the training kernel's reach.
  const onGpu = (tf.backend() as { isUsingGpuDevice?: boolean }).isUsingGpuDevice === true;
  if (device === "cuda" && !onGpu)
    throw new UserError("E_UNAVAILABLE", "--device cuda: TensorFlow sees no GPU", {
      hint: "see whether nvidia-smi lists one; pnpm native-tensorflow takes TensorFlow with CUDA where it does",
    });
  if (!onGpu && !hosts.has("tensorflow")) {
    startKernels(tf, hostBeside);
    registerNativeKernels(tf);
  }
  const where = device === "cpu" ? "the processor, asked for" : onGpu ? "a GPU" : "the processor";
  return { tf, backend: "tensorflow", reason: `${native} is installed; on ${where}` };
}

const hosts = new Map<string, KernelHost>();

/** The training kernel on the backend in use; undefined where its tensors are out of reach: plain JavaScript, a GPU. */
export function kernelHost(tf: Tf): KernelHost | undefined {
  return hosts.get(tf.getBackend());
}

/** The training kernel on the backend in use, which it is started on once. */
function startKernels(tf: Tf, create: (tf: Tf) => KernelHost): KernelHost {
  const backend = tf.getBackend();
  let host = hosts.get(backend);
  if (host === undefined) {
    host = create(tf);
    hosts.set(backend, host);
    registerFusedKernels(tf, backend, host);
  }
  return host;
}

/**
 * Libtensorflow says much on stderr unless told, and takes every GPU that it sees; the package calls functions of util that
 * newer Nodes warn of (22) or no longer have (23 on).
 */
function prepareForNative(device: TrainingDevice): void {
  process.env["TF_CPP_MIN_LOG_LEVEL"] ??= "3";
  if (device === "cpu") process.env["CUDA_VISIBLE_DEVICES"] = "-1";
  const util = require("node:util") as Record<string, (value: unknown) => boolean>;
  util["isNullOrUndefined"] = (value) => value === null || value === undefined;
  util["isArray"] = Array.isArray;
}

function requireTf(): Tf {
  return require("@tensorflow/tfjs") as Tf;
}

function loads(name: string): boolean {
  try {
    require(`${name}/lib/quiet.node`); // see scripts/nativeTensorflow.mjs
  } catch {
    // The package's own libtensorflow has none, and needs none.
  }
  try {
    require(name);
    return true;
  } catch {
    return false;
  }
}

/**
 * A wasm kernel that fails prints "XNN status … is not successful" and goes on with garbage in its output. The print
 * function is console.warn as it stands when the module starts: give it one that throws.
 */
async function startWasm(tf: Tf): Promise<void> {
  require("@tensorflow/tfjs-backend-wasm"); // oxlint-disable-line import/no-unassigned-import -- it registers itself
  const warn = console.warn;
  console.warn = (...words: unknown[]): void => {
    const text = words.map(String).join(" ");
    if (/XNN status .* not successful/.test(text)) throw new Error(`a wasm kernel failed: ${text}`);
    warn(...words);
  };
  try {
    await tf.setBackend("wasm");
  } finally {
    console.warn = warn;
  }
}
