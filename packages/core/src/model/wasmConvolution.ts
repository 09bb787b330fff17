import type { KernelFunc, TensorInfo, backend_util } from "@tensorflow/tfjs";
import type { Tf } from "./backend.ts";
import type { KernelHost } from "./kernelHost.ts";
import type { Address } from "./trainingKernel.ts";

type Attributes = Parameters<KernelFunc>[0]["attrs"];
type Conv2DInfo = backend_util.Conv2DInfo;
type Shape4D = [number, number, number, number];

/** What a convolution's kernel is called with, beside its tensors. */
interface ConvAttributes {
  readonly strides: number | [number, number];
  readonly pad: "same" | "valid" | number | backend_util.ExplicitPadding;
  readonly dataFormat?: string;
  readonly dilations?: number | [number, number];
  readonly dimRoundingMode?: "floor" | "round" | "ceil";
  readonly filterShape?: Shape4D;
  readonly inputShape?: Shape4D;
  readonly filterSize?: number | [number, number];
}

/** Bytes of a geometry (trainingKernel/conv.ts). */
const GEOMETRY = 64;

/** Kernels of two-dimensional convolution, and the gradient of the max pool. */
export function convolutionKernels(
  tf: Tf,
  host: KernelHost,
): Record<string, (original: KernelFunc) => KernelFunc> {
  const infoOf = (input: Shape4D, filter: Shape4D, attributes: ConvAttributes): Conv2DInfo =>
    tf.backend_util.computeConv2DInfo(
      input,
      filter,
      attributes.strides,
      attributes.dilations ?? 1,
      attributes.pad,
      attributes.dimRoundingMode,
      false,
    );
  return {
    Conv2D: (original) => (call) => {
      const { x, filter } = call.inputs as { x: TensorInfo; filter: TensorInfo };
      const attributes = read(call.attrs);
      if (!isPlain(attributes)) return original(call);
      return forward(
        host,
        x,
        filter,
        infoOf(x.shape as Shape4D, filter.shape as Shape4D, attributes),
      );
    },
    Conv2DBackpropInput: (original) => (call) => {
      const { dy, filter } = call.inputs as { dy: TensorInfo; filter: TensorInfo };
      const attributes = read(call.attrs);
      if (!isPlain(attributes)) return original(call);
      const { inputShape = [0, 0, 0, 0] } = attributes;
      return back(host, dy, filter, infoOf(inputShape, filter.shape as Shape4D, attributes));
    },
    Conv2DBackpropFilter: (original) => (call) => {
      const { x, dy } = call.inputs as { x: TensorInfo; dy: TensorInfo };
      const attributes = read(call.attrs);
      if (!isPlain(attributes)) return original(call);
      const { filterShape = [0, 0, 0, 0] } = attributes;
      return ofKernel(host, x, dy, infoOf(x.shape as Shape4D, filterShape, attributes));
    },
    MaxPoolGrad: () => (call) => {
      const { dy, input, output } = call.inputs as Record<"dy" | "input" | "output", TensorInfo>;
      const { filterSize = 1, strides, pad, dimRoundingMode } = read(call.attrs);
      const info = tf.backend_util.computePool2DInfo(
        input.shape as Shape4D,
        filterSize,
        strides,
        1,
        pad,
        dimRoundingMode,
      );
      return ofMaxPool(host, dy, input, output, info);
    },
  };
}

function read(attributes: Attributes): ConvAttributes {
  return attributes as unknown as ConvAttributes;
}

function isPlain({ dataFormat, dilations = 1 }: ConvAttributes): boolean {
  return (dataFormat ?? "NHWC") === "NHWC" && [dilations].flat().every((step) => step === 1);
}

/** The geometry of a convolution forth. */
function geometryOf(info: Conv2DInfo): number[] {
  return [
    info.inHeight,
    info.inWidth,
    info.inChannels,
    info.filterHeight,
    info.filterWidth,
    info.outHeight,
    info.outWidth,
    info.strideHeight,
    info.strideWidth,
    1,
    1,
    info.padInfo.top,
    info.padInfo.left,
  ];
}

/** The way back: the output's gradient, stretched by the strides, under the kernel turned round. */
function geometryBack(info: Conv2DInfo): number[] {
  return [
    info.outHeight,
    info.outWidth,
    info.outChannels,
    info.filterHeight,
    info.filterWidth,
    info.inHeight,
    info.inWidth,
    1,
    1,
    info.strideHeight,
    info.strideWidth,
    info.filterHeight - 1 - info.padInfo.top,
    info.filterWidth - 1 - info.padInfo.left,
  ];
}

function patchOf(info: Conv2DInfo, channels: number): number {
  return info.filterHeight * info.filterWidth * channels;
}

function forward(
  host: KernelHost,
  x: TensorInfo,
  filter: TensorInfo,
  info: Conv2DInfo,
): TensorInfo {
  const room =
    GEOMETRY + host.kernel.convolveRoom(patchOf(info, info.inChannels), info.outChannels);
  const [made] = host.call([x, filter], [info.outShape], room, (kernel, places) => {
    const [from, weights] = places.inputs as [Address, Address];
    const [to] = places.outputs as [Address];
    host.writeIntegers(places.room, geometryOf(info));
    kernel.convolve(
      from,
      info.batchSize,
      places.room,
      weights,
      info.outChannels,
      to,
      places.room + GEOMETRY,
    );
  });
  return made as TensorInfo;
}

function back(host: KernelHost, dy: TensorInfo, filter: TensorInfo, info: Conv2DInfo): TensorInfo {
  const turned = 4 * patchOf(info, info.inChannels) * info.outChannels;
  const room =
    GEOMETRY + turned + host.kernel.convolveRoom(patchOf(info, info.outChannels), info.inChannels);
  const [made] = host.call([dy, filter], [info.inShape], room, (kernel, places) => {
    const [from, weights] = places.inputs as [Address, Address];
    const [to] = places.outputs as [Address];
    const kernelAt = places.room + GEOMETRY;
    host.writeIntegers(places.room, geometryBack(info));
    kernel.turnKernel(
      weights,
      info.filterHeight,
      info.filterWidth,
      info.inChannels,
      info.outChannels,
      kernelAt,
    );
    kernel.convolve(
      from,
      info.batchSize,
      places.room,
      kernelAt,
      info.inChannels,
      to,
      kernelAt + turned,
    );
  });
  return made as TensorInfo;
}

function ofKernel(host: KernelHost, x: TensorInfo, dy: TensorInfo, info: Conv2DInfo): TensorInfo {
  const room =
    GEOMETRY + host.kernel.convolveRoom(patchOf(info, info.inChannels), info.outChannels);
  const [made] = host.call([x, dy], [info.filterShape], room, (kernel, places) => {
    const [from, gradient] = places.inputs as [Address, Address];
    const [to] = places.outputs as [Address];
    host.writeIntegers(places.room, geometryOf(info));
    kernel.kernelGradient(
      from,
      info.batchSize,
      places.room,
      gradient,
      info.outChannels,
      to,
      places.room + GEOMETRY,
    );
  });
  return made as TensorInfo;
}

function ofMaxPool(
  host: KernelHost,
  dy: TensorInfo,
  x: TensorInfo,
  y: TensorInfo,
  info: Conv2DInfo,
): TensorInfo {
  const [made] = host.call([dy, x, y], [x.shape], GEOMETRY, (kernel, places) => {
    const [gradient, input, output] = places.inputs as [Address, Address, Address];
    const [to] = places.outputs as [Address];
    host.writeIntegers(places.room, geometryOf(info));
    kernel.maxPoolGradient(gradient, input, output, info.batchSize, places.room, to);
  });
  return made as TensorInfo;
}
