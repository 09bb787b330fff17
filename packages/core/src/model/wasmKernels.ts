import type { KernelConfig, KernelFunc, TensorInfo } from "@tensorflow/tfjs";

/** The part of TensorFlow.js that knows the kernels. */
type Registry = Pick<
  typeof import("@tensorflow/tfjs"),
  "getKernel" | "registerKernel" | "unregisterKernel"
>;

/**
 * Kernels of the wasm backend that training needs to be faster: its BatchMatMul multiplies transposed matrices on a slow
 * path, which is nine tenths of a gradient's time. Ours transposes first and then calls the original.
 */
export function registerWasmKernels(tf: Registry): void {
  const original = kernelFunc(tf, "BatchMatMul");
  if ((original as { transposesFirst?: boolean }).transposesFirst === true) return;
  const kernelFuncNew: KernelFunc = ({ inputs, backend, attrs }) => {
    const { a, b } = inputs as { a: TensorInfo; b: TensorInfo };
    const { transposeA, transposeB } = attrs as { transposeA: boolean; transposeB: boolean };
    const transpose = kernelFunc(tf, "Transpose");
    const swap = (x: TensorInfo): TensorInfo => {
      const perm = x.shape.map((_, axis) => axis);
      perm.splice(-2, 2, x.shape.length - 1, x.shape.length - 2);
      return transpose({ inputs: { x }, backend, attrs: { perm } }) as TensorInfo;
    };
    const left = transposeA ? swap(a) : a;
    const right = transposeB ? swap(b) : b;
    const product = original({
      inputs: { a: left, b: right },
      backend,
      attrs: { transposeA: false, transposeB: false },
    });
    for (const made of [transposeA ? left : undefined, transposeB ? right : undefined])
      if (made !== undefined)
        (backend as { disposeData(id: object): boolean }).disposeData(made.dataId);
    return product;
  };
  Object.assign(kernelFuncNew, { transposesFirst: true });
  tf.unregisterKernel("BatchMatMul", "wasm");
  tf.registerKernel({ kernelName: "BatchMatMul", backendName: "wasm", kernelFunc: kernelFuncNew });
}

function kernelFunc(tf: Registry, name: string): KernelFunc {
  const kernel: KernelConfig | undefined = tf.getKernel(name, "wasm");
  if (kernel === undefined) throw new Error(`the wasm backend lacks the kernel ${name}`);
  return kernel.kernelFunc;
}
