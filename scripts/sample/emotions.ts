/** The emotions of the sample, those of CREMA-D, with its codes. */
export const EMOTION_CODES = {
  angry: "ANG",
  disgust: "DIS",
  fear: "FEA",
  happy: "HAP",
  neutral: "NEU",
  sad: "SAD",
} as const;
export type SampleEmotion = keyof typeof EMOTION_CODES;

export const SAMPLE_EMOTIONS = ["angry", "disgust", "fear", "happy", "neutral", "sad"] as const;
