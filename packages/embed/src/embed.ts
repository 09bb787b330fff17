import { join } from "node:path";
import { UserError } from "@emotion-service/core/errors";
import {
  AUDIO_EXTENSIONS,
  IMAGE_EXTENSIONS,
  listFiles,
} from "@emotion-service/core/files/listFiles";
import { refuseReplacing } from "@emotion-service/core/files/outputs";
import type {
  PictureEncoder,
  PictureEncoderOptions,
} from "@emotion-service/core/image/pictureEncoder";
import type { TrainedModel } from "@emotion-service/core/model/modelFolder";
import { trainedOrShipped } from "@emotion-service/core/model/shippedModels";
import { chooseModel } from "./chooseModel.ts";
import { embedPictures } from "./embedPictures.ts";
import { type Begin, embedAudioFeatures, embedAudioFiles, embedImages } from "./embedRows.ts";
import { embedSounds } from "./embedSounds.ts";
import type { FrameNetwork } from "./embedVideoFrames.ts";
import { type EmbedVideosOptions, type VideoSummaries, embedVideos } from "./embedVideos.ts";
import {
  isOnnx,
  pictureSettings,
  refuseOnnxFlags,
  soundSettings,
  withoutSound,
} from "./onnxFlags.ts";
import type { EmbedSummary } from "./summary.ts";
import { filesOf, targetOf, writeEmbedded } from "./writeEmbedded.ts";

export interface EmbedOptions extends EmbedVideosOptions {
  /** Exactly one of the four inputs is given. */
  readonly videosDir: string | undefined;
  readonly imagesDir: string | undefined;
  readonly audioH5: string | undefined;
  readonly audioDir: string | undefined;
  /** auto, face, face_cnn, resnet18, an .onnx file, audio_stats, audio_cnn */
  readonly model: string;
  /** Of resnet18: a file, "random", or undefined for the published ones. Of face_cnn, audio_cnn: the folder of a trained one. */
  readonly weights: string | undefined;
  /** Where caches of weights lie is in the environment. */
  readonly env: PictureEncoderOptions["env"];
  readonly onNotice: (line: string) => void;
}

/** Pictures, sound or videos → embeddings and a manifest, all whole or none. */
export async function embed(options: EmbedOptions): Promise<EmbedSummary | VideoSummaries> {
  requireOneInput(options);
  if (options.faces === "all") refuseFaces(options);
  if (options.videosDir !== undefined)
    return embedVideos(options.videosDir, ...chooseFrames(options));
  refuseVideoFlags(options);
  const { files, embedInto } = chooseInput(options);
  const target = targetOf(options.outH5, options.manifestName);
  refuseReplacing(filesOf(target), files);
  const [summary] = await writeEmbedded([{ target, embed: embedInto }], options);
  return summary!;
}

function refuseFaces({ imagesDir, shard }: EmbedOptions): void {
  if (imagesDir === undefined)
    throw new UserError("E_FLAG", "--faces all: is for --images_dir", {
      hint: "leave it out: of a frame of a video the largest face counts",
    });
  if (shard !== undefined)
    throw new UserError("E_FLAG", `--faces all: cannot go with ${shard.source}`, {
      hint: "merge-h5 puts together files that have one row an input: embed each folder by itself",
    });
}

function requireOneInput({ imagesDir, audioH5, audioDir, videosDir }: EmbedOptions): void {
  const given = [imagesDir, audioH5, audioDir, videosDir].filter((input) => input !== undefined);
  if (given.length !== 1)
    throw new UserError(
      "E_FLAG",
      `exactly one of --images_dir, --audio_h5, --audio_dir and --videos_dir is needed, got ${given.length}`,
      { hint: "run it once for the pictures and once for the sound; a video brings both" },
    );
}

function refuseVideoFlags({ outAudioH5, audioModel, audioWeights, fps }: EmbedOptions): void {
  for (const [flag, value] of Object.entries({
    "--out_audio_h5": outAudioH5,
    "--audio_model": audioModel,
    "--audio_weights": audioWeights,
    "--fps": fps,
  }))
    if (value !== undefined)
      throw new UserError("E_FLAG", `${flag} ${value}: is for --videos_dir`, {
        hint: "leave it out: only a video has frames and a sound of its own",
      });
}

/** The files to read, and the work to do on them. */
interface Input {
  readonly files: readonly string[];
  readonly embedInto: (begin: Begin) => Promise<void>;
}

/** Checks the input and the model against each other. */
function chooseInput(options: EmbedOptions): Input {
  const { imagesDir } = options;
  return imagesDir === undefined ? chooseSound(options) : choosePictures(imagesDir, options);
}

/** face, face_cnn, resnet18 or onnx */
function choosePictureModel(options: EmbedOptions): string {
  const model = isOnnx(options.model)
    ? "onnx"
    : chooseModel(options.model, ["face", "face_cnn", "resnet18"], "pictures");
  refuseNetworkFlags(options, model);
  if (model === "onnx") pictureSettings(options.onnx); // contradictions come before any file
  if (options.faces === "all" && !FACE_MODELS.includes(model))
    throw new UserError("E_FLAG", `--faces all: is for --model face or face_cnn, it is ${model}`);
  return model;
}

/** Those that take the faces out of a picture. */
const FACE_MODELS: readonly string[] = ["face", "face_cnn"];

function faceModelOf(model: string, { weights }: EmbedOptions): TrainedModel | undefined {
  return model === "face_cnn" ? trainedOrShipped("face_cnn", weights, "--weights") : undefined;
}

function choosePictures(imagesDir: string, options: EmbedOptions): Input {
  const model = choosePictureModel(options);
  const paths = listFiles(imagesDir, IMAGE_EXTENSIONS, "--images_dir");
  const run = FACE_MODELS.includes(model) ? embedImages : embedByNetwork;
  const trainedFace = faceModelOf(model, options);
  return {
    files: [
      ...(model === "onnx" ? [options.model] : []),
      ...paths.map((path) => join(imagesDir, path)),
    ],
    embedInto: (begin) => run(imagesDir, paths, { ...options, trainedFace }, begin),
  };
}

/** How the pictures of videos are embedded: by a network that their frames go through, or as faces. */
function chooseFrames(videos: EmbedOptions): [EmbedVideosOptions, FrameNetwork | undefined] {
  const options = { ...videos, onnx: withoutSound(videos.onnx) };
  const model = choosePictureModel(options);
  if (FACE_MODELS.includes(model))
    return [{ ...videos, trainedFace: faceModelOf(model, options) }, undefined];
  const network: FrameNetwork = {
    files: model === "onnx" ? [options.model] : [],
    device: options.device,
    load: () => loadNetwork(options),
  };
  return [videos, network];
}

function chooseSound(options: EmbedOptions): Input {
  const { audioDir, audioH5 = "", device, model: file } = options;
  const model = isOnnx(file) ? "onnx" : chooseModel(file, ["audio_stats", "audio_cnn"], "sound");
  refuseNetworkFlags(options, model);
  const trained =
    model === "audio_cnn" ? trainedOrShipped("audio_cnn", options.weights, "--weights") : undefined;
  const network = isOnnx(file)
    ? { file, flag: "--model", device, settings: soundSettings(options.onnx) }
    : undefined;
  const files = network === undefined ? [] : [file];
  if (audioDir === undefined)
    return {
      files: [...files, audioH5],
      embedInto: (begin) => embedAudioFeatures(audioH5, network ?? trained, options, begin),
    };
  const paths = listFiles(audioDir, AUDIO_EXTENSIONS, "--audio_dir");
  return {
    files: [...files, ...paths.map((path) => join(audioDir, path))],
    embedInto: (begin) =>
      network === undefined
        ? embedAudioFiles(audioDir, paths, trained, options, begin)
        : embedSounds(network, audioDir, paths, options, begin),
  };
}

/** The models whose weights can be named. */
const WEIGHTED: readonly string[] = ["resnet18", "face_cnn", "audio_cnn"];

/** A flag that a model does not heed must not look as if it did. */
function refuseNetworkFlags({ weights, device, onnx }: EmbedOptions, model: string): void {
  const refused = (flag: string, models: string): UserError =>
    new UserError("E_FLAG", `${flag}: is for --model ${models}, the model is ${model}`, {
      hint: "leave the flag out, or name that model",
    });
  if (weights !== undefined && !WEIGHTED.includes(model))
    throw refused("--weights", "resnet18, face_cnn or audio_cnn");
  if (model !== "onnx") refuseOnnxFlags(onnx, model);
  const takesDevice = model === "resnet18" || model === "onnx";
  if (device !== "auto" && device !== "cpu" && !takesDevice)
    throw refused(`--device ${device}`, "resnet18 or an .onnx file");
}

async function embedByNetwork(
  folder: string,
  paths: readonly string[],
  options: EmbedOptions,
  begin: Begin,
): Promise<void> {
  const encoder = await loadNetwork(options);
  try {
    await embedPictures(encoder, folder, paths, options, begin);
  } finally {
    await encoder.dispose();
  }
}

async function loadNetwork(options: EmbedOptions): Promise<PictureEncoder> {
  const faceCrop = options.faceCrop === "on" ? "on" : "off"; // auto: as Python services do
  if (isOnnx(options.model)) {
    const { loadOnnxEncoder } = await import("@emotion-service/core/image/onnxEncoder");
    const settings = pictureSettings(options.onnx);
    return loadOnnxEncoder(options.model, "--model", { ...options, faceCrop, settings });
  }
  const { loadResnet18Encoder } = await import("@emotion-service/core/image/resnet18Encoder");
  return loadResnet18Encoder({ ...options, faceCrop });
}
