import { audioCnnInfo } from "../audio/audioCnnEncoder.ts";
import type { AudioEncoder } from "../audio/audioEncoder.ts";
import type { TrainedModel } from "../model/modelFolder.ts";
import { SHIPPED, SHIPPED_AUDIO_CNN } from "../model/shippedModels.ts";
import type { LogMelConfig } from "../audio/logMelConfig.ts";
import type { PreparedSound, SoundInput } from "../audio/prepareSound.ts";
import { UserError, causeOf } from "../errors.ts";
import { type Sound, withinSeconds } from "../audio/sound.ts";
import type { FrameOptions, VideoFrame } from "../video/frames.ts";
import type { EmbeddedFrame } from "../video/meanEmbedding.ts";
import { type EncoderInfo, requireSameEncoder } from "../hdf5/encoder.ts";
import type { RgbImage } from "../face/image.ts";
import { causeOfRow } from "../image/pictureEncoder.ts";
import { refuseLargePicture } from "../image/pictureLimits.ts";
import { readAudioCheckpoint } from "../model/audioCheckpoint.ts";
import {
  type ImageEncoder,
  type ImageEncoderOptions,
  type SeenFace,
  THIS_INSTALL,
  loadImageEncoder,
  orClose,
} from "./imageEncoder.ts";

/** One modality of an input: its embedding, or why there is none (a normal case). */
export type Embedded =
  | { readonly embedding: Float32Array; readonly facts: Readonly<Record<string, number>> }
  | { readonly embedding: undefined; readonly cause: string; readonly unreadable?: true };

/** Shown what the encoders take in, for who wants to see it. */
export interface Watch {
  /** A picture's face, or that of each frame that has one, which then begins at `seconds`. */
  readonly face?: (face: SeenFace & { readonly seconds?: number }) => void;
  /** A sound that is not silent, and what was made of it. */
  readonly sound?: (sound: Sound, prepared: PreparedSound, input: SoundInput) => Promise<void>;
}

/** What an input may hold at most. */
export interface InputLimits {
  /** Of sound or video. */
  readonly seconds: number;
  /** Of a picture or a frame of a video, width · height. */
  readonly pixels: number;
}

/** Turns files into the embeddings that the models were trained on. */
export interface InputEncoders {
  /** @throws UserError when the encoder cannot be loaded; of an input that cannot be read, that is the cause */
  image(path: string, watch?: Watch): Promise<Embedded>;
  audio(path: string, watch?: Watch): Promise<Embedded>;
  /** The mean over the faces of a video's frames, or over the frames where the encoder takes whole pictures. */
  videoFaces(path: string, look: VideoLook): Promise<Embedded>;
  /** A sound of which no more can be read than the limits allow; UserError E_INPUT_BROKEN. */
  openSound(path: string): Promise<Sound>;
  /** A clip as it is; what a window holds is such a clip. */
  sound(sound: Sound): Promise<Embedded>;
  /** Closes what was loaded. */
  dispose(): Promise<void>;
}

/** What embeds sounds, whatever its network. */
interface SoundEncoder {
  readonly embed: (sound: Sound, watch?: Watch) => Promise<Embedded>;
  dispose(): Promise<void>;
}

/** How a video is looked at. */
interface VideoLook extends Omit<FrameOptions, "limits"> {
  readonly watch?: Watch | undefined;
  /** Takes each frame's embedding, in order. */
  readonly onFrame?: (frame: EmbeddedFrame) => void;
}

export interface InputEncoderOptions extends ImageEncoderOptions {
  /** The folder of the audio_cnn, or the .onnx file, that made the embeddings. */
  readonly audioWeights?: string | undefined;
  readonly limits?: InputLimits | undefined;
}

/** Encoders, and the code of their modality, load when the first input needs them. */
export function createInputEncoders(
  encoders: { readonly image?: EncoderInfo; readonly audio?: EncoderInfo },
  options: InputEncoderOptions,
): InputEncoders {
  let image: Promise<ImageEncoder> | undefined;
  let sound: Promise<SoundEncoder> | undefined;
  const imageEncoder = (info: EncoderInfo): Promise<ImageEncoder> =>
    (image ??= requireImageEncoder(info, options));
  const embedSound = async (
    clip: () => Promise<Sound> | Sound,
    watch?: Watch,
  ): Promise<Embedded> => {
    if (encoders.audio === undefined) return NOT_USED;
    const { embed } = await (sound ??= createSoundEncoder(encoders.audio, options));
    return unlessBroken(async () => embed(await clip(), watch));
  };
  const open = async (path: string): Promise<Sound> => {
    const { openSound } = await import("../audio/decode.ts");
    return withinSeconds(await openSound(path), options.limits?.seconds);
  };
  return {
    image: async (path, watch) => {
      if (encoders.image === undefined) return NOT_USED;
      const encoder = await imageEncoder(encoders.image);
      return unlessBroken(async () => {
        if (options.limits !== undefined) await refuseLargePicture(path, options.limits.pixels);
        return embedImage(encoder, path, watch);
      });
    },
    audio: (path, watch) => embedSound(() => open(path), watch),
    openSound: open,
    sound: (clip) => embedSound(() => clip),
    videoFaces: async (path, { onFrame, watch, ...look }) => {
      if (encoders.image === undefined) return NOT_USED;
      const { videoFrames } = await import("../video/frames.ts");
      const encoder = await imageEncoder(encoders.image);
      const frames = videoFrames(path, { ...look, limits: options.limits });
      return unlessBroken(() => embedVideoFaces(encoder, frames, onFrame, watch));
    },
    dispose: async () => {
      // One that did not load has said so where it was wanted.
      const loaded = await Promise.allSettled([image, sound]);
      for (const encoder of loaded)
        if (encoder.status === "fulfilled") await encoder.value?.dispose();
    },
  };
}

/** A modality that cannot be read in one file is missing there; the other one may still do. */
async function unlessBroken(embed: () => Promise<Embedded>): Promise<Embedded> {
  try {
    return await embed();
  } catch (error) {
    if (error instanceof UserError && error.code === "E_INPUT_BROKEN")
      return { embedding: undefined, cause: causeOf(error), unreadable: true };
    throw error;
  }
}

export const NOT_USED: Embedded = { embedding: undefined, cause: "the models do not use it" };

async function requireImageEncoder(
  info: EncoderInfo,
  options: ImageEncoderOptions,
): Promise<ImageEncoder> {
  const encoder = await loadImageEncoder(info, options);
  if (encoder === undefined) throw cannotEmbed("image", info);
  return encoder;
}

async function createSoundEncoder(
  info: EncoderInfo,
  options: InputEncoderOptions,
): Promise<SoundEncoder> {
  const encoder = await loadSoundEncoder(info, options);
  const { createSoundPreparer } = await import("../audio/prepareSound.ts");
  const prepare = createSoundPreparer(encoder.input);
  return {
    embed: async (clip, watch) => {
      const sound = await prepare(clip);
      if (sound.silent)
        return { embedding: undefined, cause: "the sound is silent: every sample is zero" };
      await watch?.sound?.(clip, sound, encoder.input);
      const { durationSeconds, usedSeconds } = sound;
      const facts = { duration_seconds: durationSeconds, used_seconds: usedSeconds };
      return embeddedRow(await encoder.embed(sound.values, sound.steps), facts);
    },
    dispose: () => encoder.dispose(),
  };
}

/** The encoder that made the embeddings, and how its input is made. */
async function loadSoundEncoder(
  info: EncoderInfo,
  { audioWeights, onNotice }: InputEncoderOptions,
): Promise<Pick<AudioEncoder, "embed" | "dispose"> & { readonly input: SoundInput }> {
  const { featureConfig } = info;
  if (info.model === "onnx") {
    const { loadOnnxSoundEncoder } = await import("../audio/onnxSoundEncoder.ts");
    const file = requireOnnx(info, audioWeights);
    const options = { device: "auto", featureConfig } as const;
    const encoder = await loadOnnxSoundEncoder(file, AUDIO_WEIGHTS, options);
    const actual = `${AUDIO_WEIGHTS} ${file}`;
    await orClose(encoder, () =>
      requireSameEncoder(info, encoder.info, { ...THIS_INSTALL, actual }),
    );
    return encoder;
  }
  const { audio: config } = JSON.parse(featureConfig) as { audio?: LogMelConfig };
  if (!["audio_stats", "audio_cnn"].includes(info.model) || config === undefined)
    throw cannotEmbed("audio", info);
  const trained = info.model === "audio_cnn" ? requireTrained(info, audioWeights) : undefined;
  const { loadAudioEncoder } = await import("../audio/audioEncoder.ts");
  const encoder = await loadAudioEncoder({ trained, config, onNotice });
  const actual = trained === undefined ? THIS_INSTALL.actual : `${trained.flag} ${trained.folder}`;
  await orClose(encoder, () => requireSameEncoder(info, encoder.info, { ...THIS_INSTALL, actual }));
  return { ...encoder, input: { kind: "logmel", config } };
}

const AUDIO_WEIGHTS = "--audio_weights";

function requireOnnx(info: EncoderInfo, file: string | undefined): string {
  if (file !== undefined) return file;
  throw new UserError(
    "E_SETTINGS",
    `the model was trained on embeddings of sound by an .onnx file of SHA-256 ${info.weightsSha256}`,
    { hint: `name the file that embed had as its model with ${AUDIO_WEIGHTS}` },
  );
}

/** The network that was named; without a name, the one that comes along, where it is that one. */
function requireTrained(info: EncoderInfo, folder: string | undefined): TrainedModel {
  if (folder !== undefined) return { folder, flag: AUDIO_WEIGHTS };
  const shipped = { folder: SHIPPED_AUDIO_CNN, flag: SHIPPED };
  const { weightsSha256 } = audioCnnInfo(readAudioCheckpoint(shipped.folder, shipped.flag));
  if (weightsSha256 === info.weightsSha256) return shipped;
  throw new UserError(
    "E_SETTINGS",
    `the model was trained on audio_cnn embeddings with the weights of SHA-256 ${info.weightsSha256}`,
    { hint: `name the folder that embed had as --weights with ${AUDIO_WEIGHTS}` },
  );
}

function cannotEmbed(modality: string, info: EncoderInfo | undefined): UserError {
  return new UserError(
    "E_SETTINGS",
    `the model was trained on ${modality} embeddings of the encoder '${info?.model ?? "none"}' (${info?.dim ?? 0} values), which predict cannot make`,
    {
      hint: `say what made them with --${modality}_encoder, or 'none' to leave the modality out; or train on embeddings that embed wrote`,
    },
  );
}

async function embedImage(
  encoder: ImageEncoder,
  path: string,
  watch: Watch | undefined,
): Promise<Embedded> {
  const face = await encoder.file(path, watch?.face);
  if (face === undefined) return { embedding: undefined, cause: "no face found" };
  return embeddedRow(await encoder.embed([face]), {});
}

function embeddedRow(embedding: Float32Array, facts: Readonly<Record<string, number>>): Embedded {
  const cause = causeOfRow(embedding);
  return cause === "" ? { embedding, facts } : { embedding: undefined, cause };
}

async function embedVideoFaces(
  encoder: ImageEncoder,
  pictures: AsyncIterable<VideoFrame>,
  onFrame: ((frame: EmbeddedFrame) => void) | undefined,
  watch: Watch | undefined,
): Promise<Embedded> {
  const { meanEmbedding } = await import("../video/meanEmbedding.ts");
  const frame = (image: VideoFrame): Promise<RgbImage | undefined> =>
    encoder.frame(image, (seen) => watch?.face?.({ ...seen, seconds: image.seconds }));
  const ofFrames = { dim: encoder.info.dim, frame, embed: encoder.embed };
  const { embedding, frames, faces } = await meanEmbedding(ofFrames, pictures, onFrame);
  if (embedding === undefined) return { embedding, cause: `no face found in ${frames} frames` };
  return embeddedRow(embedding, encoder.wholeFrames ? { frames } : { frames, faces });
}
