import {
  type GraphBuilder,
  type Pair,
  VALID,
  createGraphBuilder,
  padSame,
} from "../model/graph.ts";

/** Pixels of the square input of the landmark and the expression network. */
export const FACE_INPUT_SIZE = 112;
/** Mean of the pixels that they were trained on, RGB. */
export const FACE_MEAN_RGB = [122.782, 117.001, 104.298];
/** Channels of the four blocks; the last is the size of the feature. */
const CHANNELS = [32, 64, 128, 256];

/**
 * What the landmark and the expression network begin with: four dense blocks, each half as wide and high as what it takes,
 * and the mean over the place. Pixels [B, 112, 112, 3], 0 to 255 → feature [B, 256].
 * @returns the builder, to go on with, and the names of the blocks and of the feature
 */
export function createFaceFeatureExtractor(): {
  net: GraphBuilder;
  blocks: readonly string[];
  feature: string;
} {
  const net = createGraphBuilder();
  const pixels = net.input("pixels", [null, FACE_INPUT_SIZE, FACE_INPUT_SIZE, 3]);
  let x = net.standardise("normalise", pixels);
  const blocks = CHANNELS.map((channels, i) => (x = addDenseBlock(net, `dense${i}`, x, channels)));
  return { net, blocks, feature: net.globalAveragePool2d("feature", x) };
}

/** Four convolutions, each of the sum of all that came before it in the block. */
function addDenseBlock(net: GraphBuilder, name: string, x: string, channels: number): string {
  const first = `${name}/conv0`;
  let sum = net.relu(`${first}/relu`, addConvolution(net, first, x, channels, [2, 2]));
  let outputs = [sum];
  for (const i of [1, 2, 3]) {
    const conv = `${name}/conv${i}`;
    outputs = [addConvolution(net, conv, sum, channels, [1, 1]), ...outputs];
    sum = net.relu(`${conv}/relu`, net.add(`${conv}/sum`, outputs));
  }
  return sum;
}

/** A separable convolution of 3 × 3; of the pixels, a plain one. */
function addConvolution(
  net: GraphBuilder,
  name: string,
  x: string,
  channels: number,
  strides: Pair,
): string {
  const [, height, width, depth] = net.shapeOf(x);
  const padding = padSame([height ?? 0, width ?? 0], [3, 3], strides);
  const window = { size: [3, 3], strides, padding } as const;
  if (depth === 3) return net.conv2d(name, x, channels, window, true);
  const filtered = net.depthwiseConv2d(`${name}/depthwise`, x, window);
  return net.conv2d(
    name,
    filtered,
    channels,
    { size: [1, 1], strides: [1, 1], padding: VALID },
    true,
  );
}
