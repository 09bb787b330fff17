import { FPS, MIN_CONFIDENCE, TOP, WINDOW_SECONDS } from "@emotion-service/core/predict/ranges";
import { DEFAULT_FPS } from "@emotion-service/core/video/frames";

const between = ([minimum, maximum]: readonly [number, number]) => ({ minimum, maximum });

/** What clients may ask of a prediction, in the query or as form fields: predict's flags of these names. */
export const LOOK_SCHEMA = {
  type: "object",
  properties: {
    top: {
      type: "integer",
      ...between(TOP),
      description: "Also list so many of the likeliest emotions",
    },
    min_confidence: {
      type: "number",
      ...between(MIN_CONFIDENCE),
      description: "The emotion is 'uncertain' where the largest probability is below",
    },
    fps: {
      type: "number",
      ...between(FPS),
      description: `Frames of a video that are looked at, a second (${DEFAULT_FPS} unless said)`,
    },
    window: {
      type: "number",
      ...between(WINDOW_SECONDS),
      description: "Videos and sound: also tell of each window of so many seconds",
    },
    step: {
      type: "number",
      ...between(WINDOW_SECONDS),
      description:
        "Seconds from one window to the next, at most the window (the window unless said)",
    },
    view: { type: "boolean", description: "Also tell what the models saw" },
  },
  additionalProperties: false,
} as const;
