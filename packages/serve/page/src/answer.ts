import type { TimelineEntry } from "@emotion-service/core/predict/scoreInput";
import type { About, Answer, View } from "../../src/protocol.ts";

export type { Answer, TimelineEntry };
export type ModalityFacts = Answer["modalities"]["image"];
export type FaceView = NonNullable<View["face"]>;
export type WaveformView = NonNullable<View["waveform"]>;
export type SpectrogramView = NonNullable<View["spectrogram"]>;

/** What /models answers. */
export interface ModelsAnswer extends About {
  readonly limits: { readonly body_bytes: number };
}
