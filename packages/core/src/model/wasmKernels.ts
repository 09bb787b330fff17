import type { KernelFunc, TensorInfo } from "@tensorflow/tfjs";
import type { Tf } from "./backend.ts";
import type { KernelHost } from "./kernelHost.ts";
import type { Address } from "./trainingKernel.ts";
import { convolutionKernels } from "./wasmConvolution.ts";
import { batchMatMul } from "./wasmMatMul.ts";

/**
 * Kernels of the wasm backend that are replaced or added, so that it is fit for training:
 * - BatchMatMul: its own multiplies transposed matrices, as gradients need them, on a slow path, others at half the speed.
 * - Conv2D: XNNPACK's, at two thirds of the speed. Conv2DBackpropInput: a plain loop. Conv2DBackpropFilter: lacks.
 * - MaxPoolGrad: in JavaScript.
 * - Sum over the leading axes, as the gradient of a bias: its own transposes the whole first.
 */
export function registerWasmKernels(tf: Tf, host: KernelHost): void {
  replace(tf, "BatchMatMul", (original) => batchMatMul(host, original));
  replace(tf, "Sum", (original) => sum(host, original));
  for (const [name, make] of Object.entries(convolutionKernels(tf, host))) replace(tf, name, make);
}

const replaced = new WeakSet<KernelFunc>();

/** Puts a kernel in the place of the backend's own, which it is handed for what it does not do itself. */
function replace(tf: Tf, kernelName: string, make: (original: KernelFunc) => KernelFunc): void {
  const lacking: KernelFunc = () => {
    throw new Error(`the wasm backend cannot run ${kernelName} with these settings`);
  };
  const original = tf.getKernel(kernelName, "wasm")?.kernelFunc;
  if (original !== undefined && replaced.has(original)) return;
  const kernelFunc = make(original ?? lacking);
  replaced.add(kernelFunc);
  if (original !== undefined) tf.unregisterKernel(kernelName, "wasm");
  tf.registerKernel({ kernelName, backendName: "wasm", kernelFunc });
}

function sum(host: KernelHost, original: KernelFunc): KernelFunc {
  return (call) => {
    const { x } = call.inputs as { x: TensorInfo };
    const { axis, keepDims } = call.attrs as { axis: number | number[]; keepDims: boolean };
    const axes = [axis]
      .flat()
      .map((a) => (a < 0 ? a + x.shape.length : a))
      .sort((a, b) => a - b);
    const kept = x.shape.slice(axes.length);
    const isLeading = axes.every((a, i) => a === i) && axes.length > 0 && kept.length > 0;
    if (x.dtype !== "float32" || !isLeading) return original(call);
    const n = kept.reduce((a, b) => a * b, 1);
    const m = x.shape.reduce((a, b) => a * b, 1) / n;
    const shape = keepDims ? [...axes.map(() => 1), ...kept] : kept;
    const [made] = host.call([x], [shape], 12 * n, (kernel, { inputs, outputs, room }) => {
      const [from, to] = [inputs[0] as Address, outputs[0] as Address];
      kernel.columnSums(from, m, n, to, room, room + 8 * n);
    });
    return made as TensorInfo;
  };
}
