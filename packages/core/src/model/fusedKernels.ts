import type { Tensor, TensorInfo } from "@tensorflow/tfjs";
import type { Tf } from "./backend.ts";
import type { KernelHost } from "./kernelHost.ts";
import { NONE } from "./trainingKernel.ts";

/**
 * Layers that a step of training would otherwise build of a dozen small operations each, forth and back: on the wasm and
 * the native backend each operation costs 10 to 40 microseconds before it has computed anything. Where the backend in use
 * has none of these (plain JavaScript, a GPU), layers.ts composes them.
 */
export const FUSED = {
  batchNorm: "FusedBatchNormTraining",
  batchNormGradient: "FusedBatchNormTrainingGradient",
  dense: "FusedDense",
  denseGradient: "FusedDenseGradient",
  layerNorm: "FusedLayerNorm",
  layerNormGradient: "FusedLayerNormGradient",
  dropout: "FusedDropout",
  reluGradient: "FusedReluGradient",
  standardise: "FusedStandardise",
  fillMissing: "FusedFillMissing",
  fillMissingGradient: "FusedFillMissingGradient",
} as const;

/** Whether the backend in use has the kernels of {@link FUSED}. */
export function hasFusedKernels(tf: Tf): boolean {
  return tf.getKernel(FUSED.batchNorm, tf.getBackend()) !== undefined;
}

/** Runs one of {@link FUSED}. */
export function runFused(
  tf: Tf,
  name: string,
  inputs: Readonly<Record<string, Tensor>>,
  attributes: Readonly<Record<string, number>>,
): Tensor[] {
  return [tf.engine().runKernel(name, { ...inputs }, { ...attributes })].flat();
}

/** One of the kernels: what it takes, in which order, and what it makes. */
type FusedKernel = (
  host: KernelHost,
  inputs: (name: string) => TensorInfo | undefined,
  attribute: (name: string) => number,
) => TensorInfo[];

/** Registers the kernels of {@link FUSED} for a backend. */
export function registerFusedKernels(tf: Tf, backendName: string, host: KernelHost): void {
  for (const [kernelName, run] of Object.entries(KERNELS)) {
    if (tf.getKernel(kernelName, backendName) !== undefined) continue;
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs }: { inputs: object; attrs?: object; backend: unknown }) =>
        run(
          host,
          (name) => (inputs as Record<string, TensorInfo>)[name],
          (name) => (attrs as Record<string, number>)[name] ?? NaN,
        ),
    });
  }
}

/** A tensor as a matrix whose columns are its last axis. */
function matrixOf({ shape }: TensorInfo): { m: number; n: number } {
  const n = shape.at(-1) ?? 1;
  return { m: shape.reduce((a, b) => a * b, 1) / n, n };
}

/** Bytes of n sums of 64 bits and n of 32, and where the latter begin. */
const sumsRoom = (n: number): number => 12 * n + 16;

function all(...tensors: (TensorInfo | undefined)[]): TensorInfo[] {
  return tensors.map((tensor) => {
    if (tensor === undefined) throw new Error("a kernel lacks an input");
    return tensor;
  });
}

const KERNELS: Readonly<Record<string, FusedKernel>> = {
  [FUSED.batchNorm]: (host, input, attribute) => {
    const [x, gamma, beta] = all(input("x"), input("gamma"), input("beta")) as [
      TensorInfo,
      TensorInfo,
      TensorInfo,
    ];
    const present = input("present");
    const { m, n } = matrixOf(x);
    const taken = present === undefined ? [x, gamma, beta] : [x, gamma, beta, present];
    return host.call(
      taken,
      [x.shape, [n], [n], [n]],
      sumsRoom(n),
      (kernel, { inputs, outputs, room }) => {
        const [xAt, gammaAt, betaAt, presentAt = NONE] = inputs as [
          number,
          number,
          number,
          number?,
        ];
        const [y, mean, variance, scale] = outputs as [number, number, number, number];
        kernel.batchNorm(
          xAt,
          presentAt,
          gammaAt,
          betaAt,
          m,
          n,
          attribute("count"),
          attribute("epsilon"),
          y,
          mean,
          variance,
          scale,
          room,
          room + 8 * n,
        );
      },
    );
  },
  [FUSED.batchNormGradient]: (host, input, attribute) => {
    const five = all(input("dy"), input("x"), input("gamma"), input("mean"), input("scale"));
    const present = input("present");
    const x = five[1] as TensorInfo;
    const { m, n } = matrixOf(x);
    const taken = present === undefined ? five : [...five, present];
    return host.call(
      taken,
      [x.shape, [n], [n]],
      sumsRoom(n),
      (kernel, { inputs, outputs, room }) => {
        const [dy, xAt, gamma, mean, scale, presentAt = NONE] = inputs as [
          number,
          number,
          number,
          number,
          number,
          number?,
        ];
        const [dx, dgamma, dbeta] = outputs as [number, number, number];
        kernel.batchNormGradient(
          dy,
          xAt,
          presentAt,
          gamma,
          mean,
          scale,
          m,
          n,
          attribute("count"),
          dx,
          dgamma,
          dbeta,
          room,
          room + 8 * n,
        );
      },
    );
  },
  [FUSED.dense]: (host, input) => {
    const taken = all(input("x"), input("kernel"), input("bias"));
    const [x, weights] = taken as [TensorInfo, TensorInfo];
    const [k = 0, n = 0] = weights.shape;
    const { m } = matrixOf(x);
    const room = host.kernel.multiplyRoom(m, k);
    return host.call(taken, [[m, n]], room, (kernel, places) => {
      const [xAt, weightsAt, bias] = places.inputs as [number, number, number];
      const [y = NONE] = places.outputs;
      kernel.multiply(m, n, k, xAt, k, 1, weightsAt, n, 1, y, 0, bias, places.room);
    });
  },
  [FUSED.denseGradient]: (host, input, attribute) => {
    const taken = all(input("dy"), input("x"), input("kernel"));
    const [, x, weights] = taken as [TensorInfo, TensorInfo, TensorInfo];
    const [k = 0, n = 0] = weights.shape;
    const { m } = matrixOf(x);
    const withInput = attribute("withInput") === 1;
    const outputs = withInput ? [[k, n], [n], [m, k]] : [[k, n], [n]];
    const room = Math.max(host.kernel.multiplyRoom(m, n), host.kernel.multiplyRoom(k, m), 12 * n);
    return host.call(taken, outputs, room, (kernel, places) => {
      const [dy, xAt, weightsAt] = places.inputs as [number, number, number];
      const [dkernel = NONE, dbias = NONE, dx = NONE] = places.outputs;
      kernel.multiply(k, n, m, xAt, 1, k, dy, n, 1, dkernel, 0, NONE, places.room);
      kernel.columnSums(dy, m, n, dbias, places.room, places.room + 8 * n);
      if (withInput) kernel.multiply(m, k, n, dy, n, 1, weightsAt, 1, n, dx, 0, NONE, places.room);
    });
  },
  [FUSED.layerNorm]: (host, input, attribute) => {
    const taken = all(input("x"), input("gamma"), input("beta"));
    const x = taken[0] as TensorInfo;
    const { m, n } = matrixOf(x);
    return host.call(taken, [x.shape], 0, (kernel, { inputs, outputs }) => {
      const [xAt, gamma, beta] = inputs as [number, number, number];
      kernel.layerNorm(xAt, gamma, beta, m, n, attribute("epsilon"), outputs[0] ?? NONE);
    });
  },
  [FUSED.layerNormGradient]: (host, input, attribute) => {
    const taken = all(input("dy"), input("x"), input("gamma"));
    const x = taken[1] as TensorInfo;
    const { m, n } = matrixOf(x);
    return host.call(
      taken,
      [x.shape, [n], [n]],
      20 * n + 16,
      (kernel, { inputs, outputs, room }) => {
        const [dy, xAt, gamma] = inputs as [number, number, number];
        const [dx, dgamma, dbeta] = outputs as [number, number, number];
        kernel.layerNormGradient(
          dy,
          xAt,
          gamma,
          m,
          n,
          attribute("epsilon"),
          dx,
          dgamma,
          dbeta,
          room,
          room + 16 * n,
        );
      },
    );
  },
  [FUSED.dropout]: (host, input, attribute) => {
    const [x] = all(input("x")) as [TensorInfo];
    const { m, n } = matrixOf(x);
    return host.call([x], [x.shape], 0, (kernel, { inputs, outputs }) =>
      kernel.dropout(
        inputs[0] ?? NONE,
        m * n,
        attribute("seed"),
        attribute("threshold"),
        attribute("scale"),
        outputs[0] ?? NONE,
      ),
    );
  },
  [FUSED.reluGradient]: (host, input) => {
    const taken = all(input("dy"), input("y"));
    const y = taken[1] as TensorInfo;
    const { m, n } = matrixOf(y);
    return host.call(taken, [y.shape], 0, (kernel, { inputs, outputs }) => {
      const [dyAt, yAt] = inputs as [number, number];
      kernel.reluGradient(dyAt, yAt, m * n, outputs[0] ?? NONE);
    });
  },
  [FUSED.standardise]: (host, input) => {
    const taken = all(input("x"), input("mean"), input("deviation"));
    const x = taken[0] as TensorInfo;
    const present = input("present");
    const { m, n } = matrixOf(x);
    const inputs = present === undefined ? taken : [...taken, present];
    return host.call(inputs, [x.shape], 0, (kernel, places) => {
      const [xAt, mean, deviation, presentAt = NONE] = places.inputs as [number, number, number];
      kernel.standardise(xAt, mean, deviation, presentAt, m, n, places.outputs[0] ?? NONE);
    });
  },
  [FUSED.fillMissing]: (host, input) => {
    const taken = all(input("x"), input("present"), input("missing"));
    const x = taken[0] as TensorInfo;
    const { m, n } = matrixOf(x);
    return host.call(taken, [x.shape], 0, (kernel, { inputs, outputs }) => {
      const [xAt, present, missing] = inputs as [number, number, number];
      kernel.fillMissing(xAt, present, missing, m, n, outputs[0] ?? NONE);
    });
  },
  [FUSED.fillMissingGradient]: (host, input) => {
    const taken = all(input("dy"), input("present"));
    const dy = taken[0] as TensorInfo;
    const { m, n } = matrixOf(dy);
    return host.call(
      taken,
      [dy.shape, [1, n]],
      sumsRoom(n),
      (kernel, { inputs, outputs, room }) => {
        const [dyAt, present] = inputs as [number, number];
        const [dx, dmissing] = outputs as [number, number];
        kernel.fillMissingGradient(dyAt, present, m, n, dx, dmissing, room, room + 8 * n);
      },
    );
  },
};
