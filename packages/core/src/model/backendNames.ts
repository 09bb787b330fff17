/** What --backend takes: the backends of TensorFlow.js, or the fastest that loads. */
export const BACKENDS = ["auto", "tensorflow", "wasm", "cpu"] as const;
export type BackendChoice = (typeof BACKENDS)[number];

/** What the --device of training takes. */
export const TRAINING_DEVICES = ["auto", "cpu", "cuda"] as const;
export type TrainingDevice = (typeof TRAINING_DEVICES)[number];
