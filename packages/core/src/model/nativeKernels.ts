import type { KernelBackend, TensorInfo } from "@tensorflow/tfjs";
import type { Tf } from "./backend.ts";
import { FUSED } from "./fusedKernels.ts";

/** What is used of the native backend: any operation of TensorFlow, by its name. */
interface NativeBackend extends KernelBackend {
  readonly binding: {
    readonly TF_ATTR_BOOL: number;
    readonly TF_ATTR_FLOAT: number;
    readonly TF_ATTR_STRING: number;
    readonly TF_ATTR_TYPE: number;
    readonly TF_FLOAT: number;
  };
  executeSingleOutput(name: string, attributes: object[], inputs: TensorInfo[]): TensorInfo;
  executeMultipleOutputs(
    name: string,
    attributes: object[],
    inputs: TensorInfo[],
    outputs: number,
  ): TensorInfo[];
}

type Inputs = Readonly<Record<string, TensorInfo>>;
type Run = (inputs: Inputs, attributes: Readonly<Record<string, number>>) => TensorInfo[];

/**
 * Kernels of {@link FUSED} that TensorFlow has itself, on all its threads: to copy a picture's batch to the training kernel
 * and back takes longer than to compute it.
 */
export function registerNativeKernels(tf: Tf): void {
  const backend = tf.backend() as NativeBackend;
  const { binding } = backend;
  const float = (name: string) => ({ name, type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT });
  const number = (name: string, value: number) => ({ name, type: binding.TF_ATTR_FLOAT, value });
  const batchNormAttributes = (epsilon: number): object[] => [
    float("T"),
    float("U"),
    number("epsilon", epsilon),
    { name: "data_format", type: binding.TF_ATTR_STRING, value: "NHWC" },
    { name: "is_training", type: binding.TF_ATTR_BOOL, value: true },
  ];
  const empty = (): TensorInfo => ({
    dataId: backend.write(new Float32Array(0), [0], "float32"),
    shape: [0],
    dtype: "float32",
  });
  const isPicture = ({ present, x }: Inputs): boolean =>
    present === undefined && x?.shape.length === 4;

  /** By BatchMatMulV2: where there is AVX-512, the MatMul of libtensorflow 2.21 writes before the beginning of its workspace. */
  const multiply = (a: TensorInfo, b: TensorInfo, transposeA: boolean, transposeB: boolean) => {
    const flag = (name: string, value: boolean) => ({ name, type: binding.TF_ATTR_BOOL, value });
    const attributes = [float("T"), flag("adj_x", transposeA), flag("adj_y", transposeB)];
    return backend.executeSingleOutput("BatchMatMulV2", attributes, [a, b]);
  };
  const always = (): boolean => true;
  const perColumn = [
    float("T"),
    { name: "data_format", type: binding.TF_ATTR_STRING, value: "NHWC" },
  ];
  replaceWhere(tf, FUSED.dense, always, (inputs) => {
    const { x, kernel, bias } = inputs as Record<"x" | "kernel" | "bias", TensorInfo>;
    const product = multiply(x, kernel, false, false);
    const y = backend.executeSingleOutput("BiasAdd", perColumn, [product, bias]);
    backend.disposeData(product.dataId, true);
    return [y];
  });
  replaceWhere(tf, FUSED.denseGradient, always, (inputs, { withInput }) => {
    const { dy, x, kernel } = inputs as Record<"dy" | "x" | "kernel", TensorInfo>;
    const dkernel = multiply(x, dy, true, false);
    const dbias = backend.executeSingleOutput("BiasAddGrad", perColumn, [dy]);
    return withInput === 1 ? [dkernel, dbias, multiply(dy, kernel, false, true)] : [dkernel, dbias];
  });
  replaceWhere(
    tf,
    FUSED.reluGradient,
    () => true,
    ({ dy, y }) => [
      backend.executeSingleOutput("ReluGrad", [float("T")], [dy as TensorInfo, y as TensorInfo]),
    ],
  );
  replaceWhere(tf, FUSED.batchNorm, isPicture, (inputs, { epsilon = 0 }) => {
    const { x, gamma, beta } = inputs as Record<"x" | "gamma" | "beta", TensorInfo>;
    const none = empty();
    const settings = [...batchNormAttributes(epsilon), number("exponential_avg_factor", 1)];
    const made = backend.executeMultipleOutputs(
      "FusedBatchNormV3",
      settings,
      [x, gamma, beta, none, none],
      6,
    );
    const [y, mean, unbiased, meanAgain, variance, reserve] = made as Six;
    for (const { dataId } of [none, unbiased, meanAgain, reserve])
      backend.disposeData(dataId, true);
    backend.incRef(variance.dataId);
    return [y, mean, variance, variance]; // the gradient is of the variance here, not of one over its root
  });
  replaceWhere(tf, FUSED.batchNormGradient, isPicture, (inputs, { epsilon = 0 }) => {
    const { dy, x, gamma, mean, scale } = inputs as Record<
      "dy" | "x" | "gamma" | "mean" | "scale",
      TensorInfo
    >;
    const none = empty();
    const taken = [dy, x, gamma, mean, scale, none];
    const made = backend.executeMultipleOutputs(
      "FusedBatchNormGradV3",
      batchNormAttributes(epsilon),
      taken,
      5,
    );
    for (const { dataId } of [none, ...made.slice(3)]) backend.disposeData(dataId, true);
    return made.slice(0, 3);
  });
}

type Six = [TensorInfo, TensorInfo, TensorInfo, TensorInfo, TensorInfo, TensorInfo];

/** Puts a kernel before the one that is registered, for the inputs that it is for. */
function replaceWhere(
  tf: Tf,
  kernelName: string,
  isFor: (inputs: Inputs) => boolean,
  run: Run,
): void {
  const original = tf.getKernel(kernelName, "tensorflow");
  if (original === undefined) throw new Error(`${kernelName} is not registered yet`);
  tf.unregisterKernel(kernelName, "tensorflow");
  tf.registerKernel({
    ...original,
    kernelFunc: (call) => {
      const inputs = call.inputs as unknown as Inputs;
      if (!isFor(inputs)) return original.kernelFunc(call);
      return run(inputs, call.attrs as Record<string, number>);
    },
  });
}
