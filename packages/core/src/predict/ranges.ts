type Range = readonly [least: number, most: number];

/** What may be asked of a prediction, each from its least to its greatest value: flags of predict, fields of serve. */
export const TOP: Range = [1, 8];
export const MIN_CONFIDENCE: Range = [0, 1];
/** Frames of a video a second. */
export const FPS: Range = [0.01, 60];
/** Of a window and of the step to the next, seconds. */
export const WINDOW_SECONDS: Range = [0.1, 600];
