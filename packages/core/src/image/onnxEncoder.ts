import { UserError, causeOf } from "../errors.ts";
import type { RgbImage } from "../face/image.ts";
import { outputOf, readEncoderFile, startEncoder } from "../onnx/encoderFile.ts";
import type { Session } from "../onnx/session.ts";
import { statedSettings } from "../onnx/statedSettings.ts";
import {
  type OnnxInput,
  type OnnxSettings,
  levelTable,
  pictureInputOf,
  pictureTensor,
} from "./onnxPicture.ts";
import { pictureConfig } from "./pictureConfig.ts";
import type { PictureEncoder, PictureEncoderOptions } from "./pictureEncoder.ts";

/** Pictures of the first run, which tells the size of an embedding: with one alone a lost batch would not show. */
const PROBES = 2;

/** An encoder that is ready to run; `file` is for the messages. */
interface Network {
  readonly file: string;
  readonly session: Session;
  readonly input: OnnxInput;
  readonly output: string;
  readonly table: Float32Array;
}

interface LoadOptions extends Pick<PictureEncoderOptions, "device" | "faceCrop" | "onNotice"> {
  /** What goes before what the file states of itself. */
  readonly settings?: OnnxSettings | undefined;
  /** The feature_config of embeddings that the file made: all settings are from there. */
  readonly featureConfig?: string | undefined;
}

/**
 * Loads a network of any .onnx file that takes a picture and gives a row of numbers. What it takes is told by the settings, by what
 * the file states of itself, and by what is usual, in this order.
 * @throws UserError E_INPUT_MISSING, E_INPUT_BROKEN, E_LAYOUT for a file that is none; E_UNAVAILABLE without ONNX Runtime or device
 */
export async function loadOnnxEncoder(
  path: string,
  flag: string,
  { device, faceCrop, settings = {}, featureConfig, onNotice }: LoadOptions,
): Promise<PictureEncoder> {
  const file = readEncoderFile(path, flag);
  const kept = featureConfig === undefined ? undefined : settingsOf(featureConfig);
  const stated = kept === undefined ? statedSettings(file) : undefined;
  const input = pictureInputOf(file, kept ?? settings, stated);
  const wanted = (kept ?? settings).output;
  const output = outputOf(file, wanted);
  const { height, width } = input;
  const config = pictureConfig(faceCrop, {
    normalisation: input.normalisation,
    size: [height, width],
    ...(input.isLayoutTold ? { layout: input.layout } : {}),
    ...(input.isBgr ? { channels: "bgr" } : {}),
    ...(wanted === undefined ? {} : { output }),
  });
  const table = levelTable(input);
  const { info, probed } = await startEncoder(
    file,
    { device, featureConfig: config, stated, onNotice },
    async (session) => {
      const started: Network = { file: path, session, input, output, table };
      return { network: started, dim: await probe(started) };
    },
  );
  const { network } = probed;
  return {
    info,
    input: { faceCrop, width, height },
    embed: (pictures) => runInBatches(network, pictures),
    dispose: () => network.session.dispose(),
  };
}

/** Values of an embedding, whatever the file says of its output. */
async function probe(network: Network): Promise<number> {
  const { height, width } = network.input;
  const blank = { data: new Uint8Array(height * width * 3), width, height };
  const pictures = Array.from({ length: PROBES }, () => blank);
  return (await runInBatches(network, pictures)).length / PROBES;
}

/** The settings that a feature_config of {@link loadOnnxEncoder} tells. */
function settingsOf(featureConfig: string): OnnxSettings {
  const { normalisation, channels, size, layout, output } = JSON.parse(featureConfig) as Partial<
    Omit<Parameters<typeof pictureConfig>[1], "size">
  > &
    Pick<OnnxSettings, "size">;
  const scale = typeof normalisation === "object" ? normalisation : {};
  return { ...scale, size, layout, output, isBgr: channels === "bgr" };
}

/** Runs as many pictures at once as the network takes; the last ones are filled up where it takes no fewer. */
async function runInBatches(
  network: Network,
  pictures: readonly RgbImage[],
): Promise<Float32Array> {
  const most = network.input.batch ?? pictures.length;
  let embeddings = new Float32Array();
  for (let start = 0; start < pictures.length; start += most) {
    const some = pictures.slice(start, start + most);
    const full = [...some, ...Array.from({ length: most - some.length }, () => some[0]!)];
    const rows = await runOnce(network, full);
    const dim = rows.length / most;
    if (start === 0) embeddings = new Float32Array(pictures.length * dim);
    embeddings.set(rows.subarray(0, some.length * dim), start * dim);
  }
  return embeddings;
}

/**
 * The network's output, a row a picture, whatever axes a row has.
 * @throws UserError E_LAYOUT where it does not run, or gives something else
 */
async function runOnce(
  { file, session, input, output, table }: Network,
  pictures: readonly RgbImage[],
): Promise<Float32Array> {
  const count = pictures.length;
  const inputs = { [input.name]: pictureTensor(pictures, input, table) };
  const found = (
    await session.run(inputs, [output]).catch((error: unknown) => {
      throw new UserError("E_LAYOUT", `${file}: does not run on ${count} pictures at once (${causeOf(error)})`, { hint: BATCH_HINT, cause: error }); // prettier-ignore
    })
  )[output];
  if (found === undefined) throw new Error(`the network lacks the output '${output}'`);
  if (found.dims[0] === count && found.dims.length > 1) return found.data;
  throw new UserError(
    "E_LAYOUT",
    `${file}: its output ${output} must have a row for each picture, is [${found.dims.join(",")}] for ${count}`,
    { hint: BATCH_HINT },
  );
}

const BATCH_HINT = "export it for a batch of any size (in PyTorch, dynamic_shapes), or of one";
