import { join } from "node:path";
import { UserError } from "@emotion-service/core/errors";
import {
  AUDIO_EXTENSIONS,
  IMAGE_EXTENSIONS,
  listFiles,
} from "@emotion-service/core/files/listFiles";
import { refuseReplacing, withOutputs } from "@emotion-service/core/files/outputs";
import type {
  PictureEncoder,
  PictureEncoderOptions,
} from "@emotion-service/core/image/pictureEncoder";
import { chooseModel, trainedAudio } from "./chooseModel.ts";
import { embedPictures } from "./embedPictures.ts";
import { type Embedded, embedAudioFeatures, embedAudioFiles, embedImages } from "./embedRows.ts";
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
import { type EmbedSummary, filesOf, stageEmbeddings, targetOf } from "./writeEmbedded.ts";

export interface EmbedOptions extends EmbedVideosOptions {
  /** Exactly one of the four inputs is given. */
  readonly videosDir: string | undefined;
  readonly imagesDir: string | undefined;
  readonly audioH5: string | undefined;
  readonly audioDir: string | undefined;
  /** auto, face, resnet18, an .onnx file, audio_stats, audio_cnn */
  readonly model: string;
  /** Of resnet18: a file, "random", or undefined for the published ones. Of audio_cnn: the folder of a trained one. */
  readonly weights: string | undefined;
  /** Where caches of weights lie is in the environment. */
  readonly env: PictureEncoderOptions["env"];
  readonly onNotice: (line: string) => void;
}

/** Pictures, sound or videos → embeddings and a manifest, all whole or none. */
export async function embed(options: EmbedOptions): Promise<EmbedSummary | VideoSummaries> {
  requireOneInput(options);
  if (options.videosDir !== undefined)
    return embedVideos(options.videosDir, options, chooseFrameNetwork(options));
  refuseVideoFlags(options);
  const { files, run } = chooseInput(options);
  const target = targetOf(options.outH5, options.manifestName);
  refuseReplacing(filesOf(target), files);
  return withOutputs(async (outputs) => {
    const write = stageEmbeddings(outputs, target);
    return write(await run());
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
  readonly run: () => Promise<Embedded>;
}

/** Checks the input and the model against each other. */
function chooseInput(options: EmbedOptions): Input {
  const { imagesDir } = options;
  return imagesDir === undefined ? chooseSound(options) : choosePictures(imagesDir, options);
}

/** face, resnet18 or onnx */
function choosePictureModel(options: EmbedOptions): string {
  const model = isOnnx(options.model)
    ? "onnx"
    : chooseModel(options.model, ["face", "resnet18"], "pictures");
  refuseNetworkFlags(options, model);
  if (model === "onnx") pictureSettings(options.onnx); // contradictions come before any file
  return model;
}

function choosePictures(imagesDir: string, options: EmbedOptions): Input {
  const model = choosePictureModel(options);
  const paths = listFiles(imagesDir, IMAGE_EXTENSIONS, "--images_dir");
  const run = model === "face" ? embedImages : embedByNetwork;
  return {
    files: [
      ...(model === "onnx" ? [options.model] : []),
      ...paths.map((path) => join(imagesDir, path)),
    ],
    run: () => run(imagesDir, paths, options),
  };
}

/** What the frames of videos go through; undefined for `face`, which every worker has. */
function chooseFrameNetwork(videos: EmbedOptions): FrameNetwork | undefined {
  const options = { ...videos, onnx: withoutSound(videos.onnx) };
  const model = choosePictureModel(options);
  if (model === "face") return undefined;
  return {
    files: model === "onnx" ? [options.model] : [],
    load: () => loadNetwork(options),
  };
}

function chooseSound(options: EmbedOptions): Input {
  const { audioDir, audioH5 = "", device, model: file } = options;
  const model = isOnnx(file) ? "onnx" : chooseModel(file, ["audio_stats", "audio_cnn"], "sound");
  refuseNetworkFlags(options, model);
  const trained = model === "audio_cnn" ? trainedAudio(options.weights) : undefined;
  const network = isOnnx(file)
    ? { file, flag: "--model", device, settings: soundSettings(options.onnx) }
    : undefined;
  const files = network === undefined ? [] : [file];
  if (audioDir === undefined)
    return {
      files: [...files, audioH5],
      run: () => embedAudioFeatures(audioH5, network ?? trained, options),
    };
  const paths = listFiles(audioDir, AUDIO_EXTENSIONS, "--audio_dir");
  return {
    files: [...files, ...paths.map((path) => join(audioDir, path))],
    run: () =>
      network === undefined
        ? embedAudioFiles(audioDir, paths, trained, options)
        : embedSounds(network, audioDir, paths, options),
  };
}

/** A flag that a model does not heed must not look as if it did. */
function refuseNetworkFlags({ weights, device, onnx }: EmbedOptions, model: string): void {
  const refused = (flag: string, models: string): UserError =>
    new UserError("E_FLAG", `${flag}: is for --model ${models}, the model is ${model}`, {
      hint: "leave the flag out, or name that model",
    });
  if (weights !== undefined && model !== "resnet18" && model !== "audio_cnn")
    throw refused("--weights", "resnet18 or audio_cnn");
  if (model !== "onnx") refuseOnnxFlags(onnx, model);
  const takesDevice = model === "resnet18" || model === "onnx";
  if (device !== "auto" && device !== "cpu" && !takesDevice)
    throw refused(`--device ${device}`, "resnet18 or an .onnx file");
}

async function embedByNetwork(
  folder: string,
  paths: readonly string[],
  options: EmbedOptions,
): Promise<Embedded> {
  const encoder = await loadNetwork(options);
  try {
    return await embedPictures(encoder, folder, paths, options);
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
