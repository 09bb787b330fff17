import { join } from "node:path";
import { UserError } from "../errors.ts";
import { type EncoderInfo, stableJson } from "../hdf5/encoder.ts";
import { type AudioCheckpoint, readAudioCheckpoint } from "../model/audioCheckpoint.ts";
import {
  AUDIO_EMBEDDING,
  AUDIO_FRAMES,
  AUDIO_MASK,
  EMBEDDING_DIM,
  LEAST_FRAMES,
  audioCnnGraph,
} from "../model/audioCnn.ts";
import { loadTensorFlow } from "../model/backend.ts";
import { withoutPadding } from "../model/clips.ts";
import { ONNX_FILE } from "../model/modelFolder.ts";
import { createNetwork } from "../model/network.ts";
import { hashOfWeights } from "../model/weightsHash.ts";
import { type OnnxRuntime, createSession, loadOnnxRuntime } from "../onnx/session.ts";
import type { AudioEncoder } from "./audioEncoder.ts";
import type { LogMelConfig } from "./logMelConfig.ts";

interface LoadOptions {
  /** Threads of a run: as many as the machine has cores unless said. */
  readonly threads?: number;
  readonly onNotice?: ((line: string) => void) | undefined;
  /** In place of what is installed, for a test. */
  readonly runtime?: ReturnType<typeof loadOnnxRuntime>;
}

/** The embedding [128] of a clip [frames, mels]. */
type Run = (clip: Float32Array, frames: number) => Promise<Float32Array>;

/**
 * Loads what train-multimodal made of log-mel clips: on ONNX Runtime, or on TensorFlow.js where that does not load. Silence around a
 * clip counts for nothing; to embed what sounds for fewer than 16 frames throws a UserError E_INPUT_BROKEN.
 * @throws UserError when the folder is missing, damaged, or another kind of model; `flag` names where it came from
 */
export async function loadAudioCnnEncoder(
  folder: string,
  flag: string,
  { threads, onNotice, runtime = loadOnnxRuntime() }: LoadOptions = {},
): Promise<AudioEncoder> {
  const checkpoint = readAudioCheckpoint(folder, flag);
  const mels = checkpoint.features.n_mels;
  if (!runtime.ok)
    onNotice?.(
      `ONNX Runtime does not load (${runtime.cause}): TensorFlow.js takes its place, which is slower`,
    );
  const engine = runtime.ok
    ? await onOnnxRuntime(runtime.ort, join(folder, ONNX_FILE), mels, threads)
    : await onTensorFlow(checkpoint);
  return {
    info: audioCnnInfo(checkpoint),
    config: checkpoint.features,
    embed: async (features, frames) => {
      const clip = withoutPadding(features, frames, mels);
      const sounding = clip.length / mels;
      if (sounding >= LEAST_FRAMES) return engine.run(clip, sounding);
      throw tooShort(sounding, checkpoint.features);
    },
    dispose: engine.dispose,
  };
}

function tooShort(frames: number, { hop_length, sr }: LogMelConfig): UserError {
  const seconds = (count: number): string => ((count * hop_length) / sr).toFixed(2);
  return new UserError(
    "E_INPUT_BROKEN",
    `too short: it sounds for ${seconds(frames)} s, audio_cnn takes ${seconds(LEAST_FRAMES)} s at least`,
  );
}

/** What a trained audio_cnn is, for files and models. */
export function audioCnnInfo({ classes, features, weights }: AudioCheckpoint): EncoderInfo {
  const graph = audioCnnGraph({ mels: features.n_mels, classes: classes.length });
  return {
    model: "audio_cnn",
    weightsSha256: hashOfWeights(graph, weights),
    featureConfig: stableJson({ audio: features }),
    dim: EMBEDDING_DIM,
  };
}

interface Engine {
  readonly run: Run;
  readonly dispose: () => Promise<void>;
}

const EMBEDDINGS = "embeddings";

async function onOnnxRuntime(
  ort: OnnxRuntime,
  path: string,
  mels: number,
  threads: number | undefined,
): Promise<Engine> {
  const session = await createSession(ort, path, threads === undefined ? {} : { threads });
  return {
    run: async (data, frames) => {
      const mask = new Float32Array(frames).fill(1);
      const inputs = {
        [AUDIO_FRAMES]: { data, dims: [1, frames, mels] },
        [AUDIO_MASK]: { data: mask, dims: [1, frames] },
      };
      const { [EMBEDDINGS]: embeddings } = await session.run(inputs, [EMBEDDINGS]);
      if (embeddings?.data.length === EMBEDDING_DIM) return embeddings.data;
      throw new UserError("E_INPUT_BROKEN", `${path}: lacks the output '${EMBEDDINGS}'`, {
        hint: "copy the model's folder whole, or train it again",
      });
    },
    dispose: () => session.dispose(),
  };
}

async function onTensorFlow({ classes, features, weights }: AudioCheckpoint): Promise<Engine> {
  const { tf } = await loadTensorFlow();
  const graph = audioCnnGraph({ mels: features.n_mels, classes: classes.length });
  const network = createNetwork(tf, { ...graph, output: AUDIO_EMBEDDING }, weights);
  return {
    run: async (clip, frames) => {
      const embedding = tf.tidy(() => {
        const inputs = {
          [AUDIO_FRAMES]: tf.tensor3d(clip, [1, frames, features.n_mels]),
          [AUDIO_MASK]: tf.ones([1, frames]),
        };
        return network.forward(inputs, { training: false });
      });
      const data = (await embedding.data()) as Float32Array;
      embedding.dispose();
      return data;
    },
    dispose: async () => network.dispose(),
  };
}
