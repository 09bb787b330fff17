import { join } from "node:path";
import type { Device } from "@emotion-service/core/devices";
import { UserError } from "@emotion-service/core/errors";
import { VIDEO_EXTENSIONS, listFiles } from "@emotion-service/core/files/listFiles";
import { refuseReplacing } from "@emotion-service/core/files/outputs";
import { DEFAULT_FPS } from "@emotion-service/core/video/frames";
import { trainedOrShipped } from "@emotion-service/core/model/shippedModels";
import { chooseModel } from "./chooseModel.ts";
import { type EmbedRun, embedAudioFiles, embedVideoFaces } from "./embedRows.ts";
import { embedSounds } from "./embedSounds.ts";
import { type FrameNetwork, embedVideoFrames } from "./embedVideoFrames.ts";
import { type OnnxFlags, isOnnx, videoSoundSettings } from "./onnxFlags.ts";
import type { EmbedSummary } from "./summary.ts";
import { filesOf, targetOf, writeEmbedded } from "./writeEmbedded.ts";

/** What became of the faces and of the sound of the same videos. */
export interface VideoSummaries {
  readonly images: EmbedSummary;
  readonly audio: EmbedSummary;
}

export interface EmbedVideosOptions extends EmbedRun {
  /** Of the pictures. */
  readonly outH5: string;
  /** Of the sound of videos. */
  readonly outAudioH5: string | undefined;
  /** Of the sound of videos: auto, audio_stats, audio_cnn, an .onnx file */
  readonly audioModel: string | undefined;
  /** Of audio_cnn, for the sound of videos: the folder of a trained one. */
  readonly audioWeights: string | undefined;
  /** What an .onnx file runs on, and what it does not say of itself. */
  readonly device: Device;
  readonly onnx: OnnxFlags;
  /** Frames of a video that are looked at, per second. */
  readonly fps: number | undefined;
  readonly manifestName: string | undefined;
}

/**
 * Videos → the embeddings of their pictures and those of their sound, under the same names, with a manifest each.
 * @param network what their frames go through; the `face` model unless given
 */
export async function embedVideos(
  folder: string,
  options: EmbedVideosOptions,
  network: FrameNetwork | undefined,
): Promise<VideoSummaries> {
  const { outAudioH5, audioModel = "auto", audioWeights, fps = DEFAULT_FPS } = options;
  if (outAudioH5 === undefined)
    throw new UserError("E_FLAG", "--videos_dir: needs --out_audio_h5, the file for the sound", {
      hint: "such as --out_h5 embeddings_images.h5 --out_audio_h5 embeddings_audio.h5",
    });
  if (options.manifestName !== undefined)
    throw new UserError(
      "E_FLAG",
      `--manifest_name ${options.manifestName}: is for one output, --videos_dir has two`,
      {
        hint: "leave it out: each manifest has the name of its output",
      },
    );
  const heard = isOnnx(audioModel)
    ? "onnx"
    : chooseModel(audioModel, ["audio_stats", "audio_cnn"], "sound", "--audio_model");
  if (audioWeights !== undefined && heard !== "audio_cnn")
    throw new UserError(
      "E_FLAG",
      `--audio_weights: is for --audio_model audio_cnn, it is ${heard}`,
    );
  const trained =
    heard === "audio_cnn"
      ? trainedOrShipped("audio_cnn", audioWeights, "--audio_weights")
      : undefined;
  const settings = videoSoundSettings(options.onnx, heard);
  const soundNetwork = {
    file: audioModel,
    flag: "--audio_model",
    device: options.device,
    settings,
  };
  const [images, audio] = [targetOf(options.outH5), targetOf(outAudioH5)];
  const paths = listFiles(folder, VIDEO_EXTENSIONS, "--videos_dir");
  refuseReplacing(
    [...filesOf(images), ...filesOf(audio)],
    [
      ...(network?.files ?? []),
      ...(heard === "onnx" ? [audioModel] : []),
      ...paths.map((path) => join(folder, path)),
    ],
  );
  const [pictures, sound] = await writeEmbedded(
    [
      {
        target: images,
        embed: (begin) =>
          network === undefined
            ? embedVideoFaces(folder, paths, fps, options, begin)
            : embedVideoFrames(network, folder, paths, fps, options, begin),
      },
      {
        target: audio,
        embed: (begin) =>
          heard === "onnx"
            ? embedSounds(soundNetwork, folder, paths, options, begin)
            : embedAudioFiles(folder, paths, trained, options, begin),
      },
    ],
    options,
  );
  return { images: pictures!, audio: sound! };
}
