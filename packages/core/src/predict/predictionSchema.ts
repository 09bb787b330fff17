const NAME = { type: "string", minLength: 1 } as const;
const COUNT = { type: "integer", minimum: 0 } as const;
const PROBABILITY = { type: "number", minimum: 0, maximum: 1 } as const;
const SECONDS = { type: "number", minimum: 0, description: "Seconds from the beginning" } as const;
const DURATION = { type: "number", exclusiveMinimum: 0, description: "Seconds" } as const;

/** The files of an input: a video, or a picture, a clip, or both of one person. */
const INPUT = { video: NAME, image: NAME, audio: NAME } as const;
const ONE_INPUT = {
  oneOf: [
    { required: ["video"], not: { anyOf: [{ required: ["image"] }, { required: ["audio"] }] } },
    { anyOf: [{ required: ["image"] }, { required: ["audio"] }], not: { required: ["video"] } },
  ],
} as const;

const SCORE = {
  emotion: {
    type: ["string", "null"],
    description:
      "The likeliest emotion; 'uncertain' where its probability is below --min_confidence; null without a classifier, or where nothing that it uses is there",
  },
  confidence: {
    type: ["number", "null"],
    minimum: 0,
    maximum: 1,
    description: "The largest probability",
  },
  emotion_probs: {
    type: ["object", "null"],
    additionalProperties: PROBABILITY,
    description: "emotion -> probability, the likeliest first; they sum to 1",
  },
  anomaly_score: {
    type: ["number", "null"],
    description: "Higher is stranger; null without a detector",
  },
  anomaly_flag: { type: ["boolean", "null"], description: "Whether the score is above 0" },
} as const;
const SCORE_FIELDS = [
  "emotion",
  "confidence",
  "emotion_probs",
  "anomaly_score",
  "anomaly_flag",
] as const;

const prediction = {
  type: "object",
  properties: {
    ...INPUT,
    ...SCORE,
    top: {
      type: "array",
      minItems: 1,
      items: {
        type: "object",
        required: ["emotion", "probability"],
        properties: { emotion: { type: "string" }, probability: PROBABILITY },
        additionalProperties: false,
      },
    },
    engine: { type: ["string", "null"], description: "What ran the classifier" },
    modalities: {
      type: "object",
      required: ["image", "audio"],
      properties: { image: { $ref: "#/$defs/modality" }, audio: { $ref: "#/$defs/modality" } },
      additionalProperties: false,
    },
    notes: { type: "array", items: { type: "string" } },
    timeline: { type: "array", minItems: 1, items: { $ref: "#/$defs/timelineEntry" } },
  },
  required: [...SCORE_FIELDS, "engine", "modalities", "notes"],
  ...ONE_INPUT,
  additionalProperties: false,
} as const;

const failed = {
  type: "object",
  required: ["error"],
  properties: { ...INPUT, error: { ...NAME, description: "Why nothing is told of it" } },
  ...ONE_INPUT,
  additionalProperties: false,
} as const;

const predictions = {
  type: "object",
  required: ["predictions", "failed"],
  properties: {
    predictions: { type: "array", minItems: 1, items: { $ref: "#/$defs/prediction" } },
    failed: { type: "array", items: { $ref: "#/$defs/failed" } },
  },
  additionalProperties: false,
} as const;

const summary = {
  type: "object",
  required: ["jsonl", "csv", "inputs", "predicted", "failed", "resumed", "causes"],
  properties: {
    jsonl: { ...NAME, description: "The file of --jsonl, a line an input" },
    csv: { type: ["string", "null"], description: "The file of --csv" },
    inputs: { ...COUNT, minimum: 1 },
    predicted: { ...COUNT, minimum: 1 },
    failed: COUNT,
    resumed: { ...COUNT, description: "Inputs that an earlier run had finished" },
    causes: {
      type: "object",
      additionalProperties: { ...COUNT, minimum: 1 },
      description: "cause -> inputs that failed by it, the most frequent first",
    },
  },
  additionalProperties: false,
} as const;

const timelineEntry = {
  type: "object",
  required: ["start", "end", ...SCORE_FIELDS, "face", "voice"],
  properties: {
    start: SECONDS,
    end: { ...SECONDS, exclusiveMinimum: 0 },
    ...SCORE,
    face: { type: "boolean", description: "Whether a face was found in it" },
    voice: {
      type: "boolean",
      description: "Whether it has sound that is not silent, nor too short for the encoder",
    },
  },
  additionalProperties: false,
} as const;

const modality = {
  oneOf: [
    {
      type: "object",
      required: ["present", "cause"],
      properties: {
        present: { const: false },
        cause: { type: "string", description: "Why it is not there" },
      },
      additionalProperties: false,
    },
    {
      type: "object",
      required: ["present"],
      properties: {
        present: { const: true },
        frames: {
          ...COUNT,
          minimum: 1,
          description: "Frames of the video that were looked at",
        },
        faces: { ...COUNT, minimum: 1, description: "Those of them with a face" },
        duration_seconds: DURATION,
        used_seconds: DURATION,
      },
      additionalProperties: false,
    },
  ],
} as const;

/** What predict prints, and a line of its --jsonl ($defs/line), as a JSON Schema (2020-12). */
export const PREDICTION_SCHEMA = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "What predict prints",
  description:
    "A prediction for one input; for a folder or a manifest all predictions, or a summary where --jsonl has them. A line of --jsonl is $defs/line",
  oneOf: [
    { $ref: "#/$defs/prediction" },
    { $ref: "#/$defs/predictions" },
    { $ref: "#/$defs/summary" },
  ],
  $defs: {
    prediction,
    line: {
      description: "What is told of an input, or why nothing is",
      oneOf: [{ $ref: "#/$defs/prediction" }, { $ref: "#/$defs/failed" }],
    },
    predictions,
    summary,
    failed,
    timelineEntry,
    modality,
  },
} as const;
