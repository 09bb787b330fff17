export { adamW, sumOfSquares } from "./adamW";
export { convolve, convolveRoom, kernelGradient, maxPoolGradient, turnKernel } from "./conv";
export { multiply, multiplyRoom } from "./gemm";
export { batchNorm, batchNormGradient, layerNorm, layerNormGradient } from "./norm";
export {
  columnSums,
  dropout,
  fillMissing,
  fillMissingGradient,
  reluGradient,
  standardise,
} from "./rows";
