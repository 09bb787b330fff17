import type { Modality } from "@emotion-service/core/model/fusion";
import type { PredictorOptions } from "@emotion-service/core/predict/predictor";
import type { Input, Prediction } from "@emotion-service/core/predict/scoreInput";
import type { Limits } from "./limits.ts";

/** How an input is looked at, and what is told of it: predict's flags. */
export interface Look {
  readonly top?: number;
  readonly min_confidence?: number;
  readonly fps: number;
  readonly window?: number;
  readonly step?: number;
}

/** One input to predict on: files on this machine. */
export interface Job {
  readonly input: Input;
  readonly look: Look;
  /** Whether what the models saw is wanted too. */
  readonly view: boolean;
}

/** Which models, as far as they cross to another process. */
export type ModelChoice = Omit<PredictorOptions, "env" | "onNotice" | "limits">;

/** The models of a predictor, as clients are told of them. */
export interface About {
  readonly classifier: {
    readonly name: string;
    readonly classes: readonly string[];
    readonly engine: string;
    readonly comes_along: boolean;
    readonly cards: readonly { readonly name: string; readonly url: string }[];
  } | null;
  readonly detector: { readonly name: string; readonly modalities: readonly Modality[] } | null;
  readonly encoders: Readonly<
    Record<
      Modality,
      { readonly model: string; readonly dim: number; readonly weights_sha256: string } | null
    >
  >;
}

/** What the models saw. */
export interface View {
  readonly face?: {
    /** A data URL. */
    readonly png: string;
    readonly box: {
      readonly x: number;
      readonly y: number;
      readonly width: number;
      readonly height: number;
    } | null;
    /** Of the upright picture, as it was looked at; null with the box. */
    readonly image_width: number | null;
    readonly image_height: number | null;
    /** Of a video: when. */
    readonly seconds?: number;
  };
  readonly waveform?: {
    readonly seconds: number;
    /** The least and the greatest sample by turns, a pair a column, [-1, 1]. */
    readonly peaks: readonly number[];
  };
  readonly spectrogram?: {
    readonly mels: number;
    readonly frames: number;
    readonly seconds: number;
    /** Where the bands end: half the sampling rate. */
    readonly top_hz: number;
    /** base64 of uint8 [frames, mels]; 0: -80 dB below the loudest, 255: the loudest */
    readonly values: string;
  };
}

export type Answer = Prediction & { readonly view?: View };

/** A failure, as it crosses between processes and goes to clients. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** What the predictor's process is told. */
export type Order =
  | { readonly kind: "open"; readonly models: ModelChoice; readonly limits: Limits }
  | { readonly kind: "predict"; readonly job: Job }
  /** Ends the job that runs. */
  | { readonly kind: "abort" };

/** What it tells: after "open" ready or error, after each "predict" any number of progress, then an answer or error. */
export type Word =
  | { readonly kind: "ready"; readonly about: About }
  | { readonly kind: "notice"; readonly line: string }
  | { readonly kind: "progress"; readonly done: number; readonly total: number | null }
  | { readonly kind: "answer"; readonly answer: Answer }
  | { readonly kind: "error"; readonly failure: Failure };
