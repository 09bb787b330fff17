import { audioStats, audioStatsEncoder } from "@emotion-service/core/audio/audioStats";
import { openSound } from "@emotion-service/core/audio/decode";
import { createLogMelExtractor } from "@emotion-service/core/audio/logMel";
import { type LogMelConfig } from "@emotion-service/core/audio/logMelConfig";
import { UserError, throwIfAborted } from "@emotion-service/core/errors";
import { FACE_CROPS, type FaceCrop } from "@emotion-service/core/face/faceCrop";
import {
  type FaceEncoder,
  faceEncoderInfo,
  loadFaceEncoder,
} from "@emotion-service/core/face/faceEncoder";
import { type RgbImage, readImage } from "@emotion-service/core/face/image";
import { type EncoderInfo, requireSameEncoder } from "@emotion-service/core/hdf5/encoder";
import { videoFrames } from "@emotion-service/core/video/frames";

/** One modality of an input: its embedding, or why there is none (a normal case). */
export type Embedded =
  | { readonly embedding: Float32Array; readonly facts: Readonly<Record<string, number>> }
  | { readonly embedding: undefined; readonly cause: string };

/** Turns files into the embeddings that the models were trained on. */
export interface InputEncoders {
  image(path: string): Promise<Embedded>;
  audio(path: string): Promise<Embedded>;
  /** The mean over the faces of a video's frames. */
  videoFaces(path: string, fps: number, signal?: AbortSignal): Promise<Embedded>;
}

/** Frames of a video that go through the network at once. */
const FRAMES_AT_ONCE = 16;

/** Encoders load when the first input needs them. */
export function createInputEncoders(encoders: {
  readonly image?: EncoderInfo;
  readonly audio?: EncoderInfo;
}): InputEncoders {
  let face: Promise<FaceEncoder> | undefined;
  let sound: ((path: string) => Promise<Embedded>) | undefined;
  const faceEncoder = (): Promise<FaceEncoder> => (face ??= loadImageEncoder(encoders.image));
  return {
    image: async (path) =>
      encoders.image === undefined ? NOT_USED : embedImage(await faceEncoder(), path),
    audio: async (path) => {
      if (encoders.audio === undefined) return NOT_USED;
      return (sound ??= createAudioEncoder(encoders.audio))(path);
    },
    videoFaces: async (path, fps, signal) =>
      encoders.image === undefined
        ? NOT_USED
        : embedVideoFaces(await faceEncoder(), videoFrames(path, fps), signal),
  };
}

const NOT_USED: Embedded = { embedding: undefined, cause: "the models do not use it" };

async function loadImageEncoder(info: EncoderInfo | undefined): Promise<FaceEncoder> {
  if (info?.model !== "face") throw cannotEmbed("image", info);
  const { face_crop: crop } = JSON.parse(info.featureConfig) as { face_crop: FaceCrop };
  const known = FACE_CROPS.find((rule) => rule === crop) ?? "auto";
  requireSameEncoder(info, faceEncoderInfo(known), THIS_INSTALL);
  return loadFaceEncoder(known);
}

function createAudioEncoder(info: EncoderInfo): (path: string) => Promise<Embedded> {
  const { audio: config } = JSON.parse(info.featureConfig) as { audio?: LogMelConfig };
  if (info.model !== "audio_stats" || config === undefined) throw cannotEmbed("audio", info);
  requireSameEncoder(info, audioStatsEncoder(config), THIS_INSTALL);
  const extract = createLogMelExtractor(config);
  return async (path) => {
    const { features, frames, silent, durationSeconds } = await extract(await openSound(path));
    if (silent) return { embedding: undefined, cause: "the sound is silent: every sample is zero" };
    const embedding = audioStats(features, config.n_mels, frames, config.hop_length / config.sr);
    const { fixed_duration: fixed } = config;
    const used = fixed > 0 ? Math.min(durationSeconds, fixed) : durationSeconds;
    return { embedding, facts: { duration_seconds: durationSeconds, used_seconds: used } };
  };
}

const THIS_INSTALL = { expected: "the model", actual: "this installation's encoder" };

function cannotEmbed(modality: string, info: EncoderInfo | undefined): UserError {
  return new UserError(
    "E_SETTINGS",
    `the model was trained on ${modality} embeddings of the encoder '${info?.model ?? "none"}' (${info?.dim ?? 0} values), which predict cannot make`,
    { hint: "train on embeddings that embed wrote, or predict without this modality" },
  );
}

async function embedImage(encoder: FaceEncoder, path: string): Promise<Embedded> {
  const face = await encoder.prepare(await readImage(path));
  if (face === undefined) return { embedding: undefined, cause: "no face found" };
  return { embedding: encoder.embed([face]), facts: {} };
}

async function embedVideoFaces(
  encoder: FaceEncoder,
  pictures: AsyncIterable<RgbImage>,
  signal: AbortSignal | undefined,
): Promise<Embedded> {
  const sum = new Float64Array(encoder.info.dim);
  let frames = 0;
  let faces = 0;
  let held: RgbImage[] = [];
  const flush = (): void => {
    const rows = encoder.embed(held);
    for (let i = 0; i < rows.length; i += 1) {
      const column = i % sum.length;
      sum[column] = (sum[column] ?? 0) + (rows[i] ?? 0);
    }
    faces += held.length;
    held = [];
  };
  for await (const frame of pictures) {
    throwIfAborted(signal);
    frames += 1;
    const face = await encoder.prepare(frame, "on");
    if (face !== undefined) held.push(face);
    if (held.length === FRAMES_AT_ONCE) flush();
  }
  flush();
  if (faces === 0) return { embedding: undefined, cause: `no face found in ${frames} frames` };
  return { embedding: Float32Array.from(sum, (value) => value / faces), facts: { frames, faces } };
}
