import { UserError } from "../errors.ts";
import { createRandom } from "../random.ts";
import {
  type Graph,
  type GraphBuilder,
  type Pair,
  type Weight,
  type Weights,
  createGraphBuilder,
  initialWeights,
  padAll,
  weightSlots,
} from "./graph.ts";

/** Pixels a side of the picture that the published weights were learnt on. */
export const RESNET18_SIDE = 224;
/** Values of an embedding. */
export const RESNET18_DIM = 512;
/** Mean and deviation of ImageNet's colours, as parts of full scale: what torchvision subtracts and divides by. */
export const IMAGENET_MEAN = [0.485, 0.456, 0.406] as const;
export const IMAGENET_DEVIATION = [0.229, 0.224, 0.225] as const;

/** The name of the graph's input. */
export const PICTURE = "picture";
const NORMALISE = "normalise";
/** Filters of the four stages, two blocks each. */
const STAGES = [64, 128, 256, 512] as const;

/**
 * torchvision's ResNet-18 (He et al. 2016) without its classifier: `picture` u8 [B, side, side, 3] → [B, 512]. Layers go by
 * torchvision's names; the scaling of pixels is inside.
 * @param side pixels, a multiple of 32
 */
export function resnet18Graph(side = RESNET18_SIDE): Graph {
  const net = createGraphBuilder();
  let x = net.input(PICTURE, [null, side, side, 3], "uint8");
  x = net.standardise(NORMALISE, x);
  x = convNorm(net, "conv1", "bn1", x, STAGES[0], 7, 2);
  x = net.relu("relu1", x);
  x = net.maxPool2d("maxpool", x, { size: [3, 3], strides: [2, 2], padding: padAll(1) }); // [B, side/4, side/4, 64]
  for (const [stage, filters] of STAGES.entries())
    for (const block of [0, 1])
      x = basicBlock(net, `layer${stage + 1}.${block}`, x, filters, stage > 0 && block === 0);
  return net.build(net.globalAveragePool2d("avgpool", x));
}

/** Two 3 × 3 convolutions beside a shortcut; a block that halves the picture has a 1 × 1 convolution on the shortcut. */
function basicBlock(
  net: GraphBuilder,
  name: string,
  input: string,
  filters: number,
  halves: boolean,
): string {
  const stride = halves ? 2 : 1;
  let x = convNorm(net, `${name}.conv1`, `${name}.bn1`, input, filters, 3, stride);
  x = net.relu(`${name}.relu1`, x);
  x = convNorm(net, `${name}.conv2`, `${name}.bn2`, x, filters, 3, 1);
  const shortcut = halves
    ? convNorm(net, `${name}.downsample.0`, `${name}.downsample.1`, input, filters, 1, 2)
    : input;
  return net.relu(`${name}.relu2`, net.add(`${name}.add`, [x, shortcut]));
}

function convNorm(
  net: GraphBuilder,
  conv: string,
  norm: string,
  x: string,
  filters: number,
  size: number,
  stride: number,
): string {
  const strides: Pair = [stride, stride];
  const window = { size: [size, size] as const, strides, padding: padAll((size - 1) / 2) };
  return net.batchNorm(norm, net.conv2d(conv, x, filters, window));
}

/** Our names of weights → the ends of PyTorch's. */
const TORCH_ENDINGS: Readonly<Record<string, string>> = {
  kernel: "weight",
  gamma: "weight",
  beta: "bias",
  running_mean: "running_mean",
  running_variance: "running_var",
};

/**
 * The network's weights from a state dict of torchvision's `resnet18`. Its classifier and its counters of batches are left out.
 * @param stateDict by PyTorch's names; convolutions are [out, in, height, width]
 * @param source the file, for the messages
 * @throws UserError E_LAYOUT when a tensor is missing, is of another shape, or does not belong there
 */
export function resnet18Weights(stateDict: Weights, source: string): Weights {
  const weights = pixelScale();
  const used = new Set<string>();
  const problems: string[] = [];
  for (const { name, shape } of weightSlots(resnet18Graph())) {
    if (weights.has(name)) continue;
    const torchName = torchNameOf(name);
    const found = stateDict.get(torchName);
    used.add(torchName);
    const [height, width, from, to] = shape;
    const torchShape = shape.length === 4 ? [to, from, height, width] : shape;
    if (found === undefined) problems.push(`${torchName} is missing`);
    else if (found.shape.join() !== torchShape.join())
      problems.push(`${torchName} must be [${torchShape.join()}], is [${found.shape.join()}]`);
    else weights.set(name, shape.length === 4 ? toHwio(found) : found);
  }
  for (const name of stateDict.keys())
    if (!used.has(name) && !/^fc\.|\.num_batches_tracked$/.test(name))
      problems.push(`${name} does not belong there`);
  if (problems.length > 0) throw notResnet18(source, problems);
  return weights;
}

const MOST_TOLD = 3;

function notResnet18(source: string, problems: readonly string[]): UserError {
  const told = problems.slice(0, MOST_TOLD).join("; ");
  const more = problems.length > MOST_TOLD ? `; and ${problems.length - MOST_TOLD} more` : "";
  return new UserError(
    "E_LAYOUT",
    `${source}: must be the state dict of torchvision's resnet18: ${told}${more}`,
    { hint: "save it with torch.save(model.state_dict(), FILE)" },
  );
}

function torchNameOf(name: string): string {
  const dot = name.lastIndexOf(".");
  return `${name.slice(0, dot)}.${TORCH_ENDINGS[name.slice(dot + 1)]}`;
}

/** [out, in, height, width] → [height, width, in, out] */
function toHwio({ shape, data }: Weight): Weight {
  const [out = 0, into = 0, height = 0, width = 0] = shape;
  const kernel = new Float32Array(data.length);
  const pixels = height * width;
  for (let o = 0; o < out; o += 1)
    for (let i = 0; i < into; i += 1)
      for (let pixel = 0; pixel < pixels; pixel += 1)
        kernel[(pixel * into + i) * out + o] = data[(o * into + i) * pixels + pixel] ?? 0;
  return { shape: [height, width, into, out], data: kernel };
}

/** Fresh weights, started as PyTorch starts them: good for trying things out, not for embeddings. */
export function randomResnet18Weights(seed: number): Weights {
  return new Map([...initialWeights(resnet18Graph(), createRandom(seed)), ...pixelScale()]);
}

/** Pixels are bytes: (x / 255 - mean) / deviation = (x - 255 · mean) / (255 · deviation). */
function pixelScale(): Weights {
  const bytes = (parts: readonly number[]): Weight => {
    const data = Float32Array.from(parts, (part) => 255 * part);
    return { shape: [data.length], data };
  };
  return new Map([
    [`${NORMALISE}.mean`, bytes(IMAGENET_MEAN)],
    [`${NORMALISE}.deviation`, bytes(IMAGENET_DEVIATION)],
  ]);
}
