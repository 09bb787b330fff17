import { PREDICTION_SCHEMA } from "@emotion-service/core/predict/predictionSchema";

type Schema = Readonly<Record<string, unknown>>;

/** A schema whose `$ref`s to PREDICTION_SCHEMA's parts are replaced by what they name: in another document they would lead nowhere. */
function inlined(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(inlined);
  if (typeof schema !== "object" || schema === null) return schema;
  const { $ref } = schema as { $ref?: string };
  const parts: Schema = PREDICTION_SCHEMA.$defs;
  if ($ref !== undefined) return inlined(parts[$ref.replace("#/$defs/", "")]);
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, inlined(value)]));
}

const SIZE = { type: ["number", "null"], minimum: 0 } as const;
const VIEW_SCHEMA = {
  type: "object",
  description: "What the models saw",
  properties: {
    face: {
      type: "object",
      required: ["png", "box", "image_width", "image_height"],
      properties: {
        png: { type: "string", description: "The very crop that the model saw, a data URL" },
        box: {
          type: ["object", "null"],
          description:
            "Where it is in the upright picture, pixels; null where the model takes pictures whole",
          required: ["x", "y", "width", "height"],
          properties: Object.fromEntries(
            ["x", "y", "width", "height"].map((name) => [name, { type: "number" }]),
          ),
          additionalProperties: false,
        },
        image_width: {
          ...SIZE,
          description:
            "Of the upright picture, as it was looked at: larger ones are shrunk to 1280 pixels a side",
        },
        image_height: SIZE,
        seconds: { type: "number", description: "Of a video: when" },
      },
      additionalProperties: false,
    },
    waveform: {
      type: "object",
      required: ["seconds", "peaks"],
      properties: {
        seconds: { type: "number" },
        peaks: {
          type: "array",
          items: { type: "number", minimum: -1, maximum: 1 },
          description: "The least and the greatest sample by turns, a pair a column",
        },
      },
      additionalProperties: false,
    },
    spectrogram: {
      type: "object",
      description: "The log-mel that the model saw",
      required: ["mels", "frames", "seconds", "top_hz", "values"],
      properties: {
        mels: { type: "integer" },
        frames: { type: "integer" },
        seconds: { type: "number" },
        top_hz: { type: "number", description: "Where the mel bands end; they begin at 0 Hz" },
        values: {
          type: "string",
          description: "base64 of uint8 [frames, mels], 0 = -80 dB, 255 = 0 dB",
        },
      },
      additionalProperties: false,
    },
  },
  additionalProperties: false,
} as const;

const prediction = inlined(PREDICTION_SCHEMA.$defs.prediction) as Schema & { properties: Schema };

/** predict's JSON for one input, and what the models saw where that was wanted. */
export const ANSWER_SCHEMA: Schema = {
  ...prediction,
  properties: { ...prediction.properties, view: VIEW_SCHEMA },
};

const failure = {
  type: "object",
  required: ["code", "message"],
  properties: { code: { type: "string" }, message: { type: "string" }, hint: { type: "string" } },
  additionalProperties: false,
} as const;

const ERROR_SCHEMA = {
  type: "object",
  required: ["error", "request_id"],
  properties: {
    error: failure,
    request_id: { type: "string" },
    missing: {
      type: "array",
      items: { type: "string" },
      description: "Of POST /analyze: the fields that lack",
    },
  },
  additionalProperties: false,
} as const;

/** An answer that is no JSON. */
export function textOf(type: string): Schema {
  return { description: "Text", content: { [type]: { schema: { type: "string" } } } };
}

/** The answers of failures, each with its meaning. */
export function errorsOf(statuses: readonly (keyof typeof MEANINGS)[]): Schema {
  return Object.fromEntries(
    statuses.map((status) => [status, { description: MEANINGS[status], ...ERROR_SCHEMA }]),
  );
}

const MEANINGS = {
  400: "The request is wrong",
  401: "A token is needed",
  403: "Asked from a page of another origin, or by another host's name",
  404: "There is no such thing",
  408: "The request did not come in time",
  413: "Too many bytes, seconds or pixels",
  415: "A body of another kind",
  422: "The file cannot be read",
  429: "Too many listeners",
  500: "The service failed",
  503: "Too busy, or ending: come again after Retry-After seconds",
} as const;

const textOrNull = { type: ["string", "null"] } as const;
const COUNT = { type: "integer", minimum: 0 } as const;

const encoder = {
  type: ["object", "null"],
  required: ["model", "dim", "weights_sha256"],
  properties: { model: { type: "string" }, dim: COUNT, weights_sha256: { type: "string" } },
  additionalProperties: false,
} as const;

export const MODELS_SCHEMA = {
  type: "object",
  required: ["classifier", "detector", "encoders", "limits"],
  properties: {
    classifier: {
      type: ["object", "null"],
      required: ["name", "classes", "engine", "comes_along", "cards"],
      properties: {
        name: { type: "string" },
        classes: { type: "array", items: { type: "string" } },
        engine: { type: "string" },
        comes_along: { type: "boolean" },
        cards: {
          type: "array",
          items: {
            type: "object",
            required: ["name", "url"],
            properties: { name: { type: "string" }, url: { type: "string" } },
            additionalProperties: false,
          },
        },
      },
      additionalProperties: false,
    },
    detector: {
      type: ["object", "null"],
      required: ["name", "modalities"],
      properties: {
        name: { type: "string" },
        modalities: { type: "array", items: { enum: ["image", "audio"] } },
      },
      additionalProperties: false,
    },
    encoders: {
      type: "object",
      required: ["image", "audio"],
      properties: { image: encoder, audio: encoder },
      additionalProperties: false,
    },
    limits: {
      type: "object",
      required: ["body_bytes", "media_seconds", "pixels", "queue", "timeout_seconds"],
      properties: {
        body_bytes: COUNT,
        media_seconds: { type: "number" },
        pixels: COUNT,
        queue: COUNT,
        timeout_seconds: { type: "number" },
      },
      additionalProperties: false,
    },
  },
  additionalProperties: false,
} as const;

export const HEALTH_SCHEMA = {
  type: "object",
  required: ["status", "version", "models"],
  properties: {
    status: { enum: ["ok", "draining"] },
    version: { type: "string" },
    models: {
      type: "object",
      required: ["classifier", "detector"],
      properties: { classifier: textOrNull, detector: textOrNull },
      additionalProperties: false,
    },
  },
  additionalProperties: false,
} as const;

/** A form of files and fields, and what is sent in its place without a form, for the description of the API. */
export function bodyOf(files: readonly string[], fields: Schema, isRaw: boolean): Schema {
  const binary = { type: "string", format: "binary" };
  const named = Object.fromEntries(files.map((name) => [name, binary]));
  const form = { type: "object", properties: { ...named, ...fields } };
  const raw = isRaw ? files.map((name) => [`${name}/*`, { schema: binary }]) : [];
  return { content: { "multipart/form-data": { schema: form }, ...Object.fromEntries(raw) } };
}

export const UPLOAD_SCHEMA = {
  type: "object",
  required: ["id", "status", "url"],
  properties: { id: { type: "string" }, status: { type: "string" }, url: { type: "string" } },
  additionalProperties: false,
} as const;

export const JOB_SCHEMA = {
  type: "object",
  required: ["id", "status"],
  properties: {
    id: { type: "string" },
    status: { enum: ["queued", "running", "done", "failed", "cancelled"] },
    position: { ...COUNT, description: "How many are before it" },
    progress: {
      type: "object",
      description: "Seconds of video that were looked at, of all where the file says how many",
      required: ["done", "total", "unit"],
      properties: {
        done: { type: "number" },
        total: { type: ["number", "null"] },
        unit: { const: "seconds" },
      },
      additionalProperties: false,
    },
    result: ANSWER_SCHEMA,
    error: failure,
  },
  additionalProperties: false,
} as const;

export const ANALYZE_SCHEMA = {
  type: "object",
  required: ["meeting_id", "participant_id", "result"],
  properties: {
    meeting_id: { type: "string" },
    participant_id: { type: "string" },
    result: ANSWER_SCHEMA,
    forwarded: {
      type: "object",
      description: "Whether the backend took the answer, where one is set",
      required: ["ok"],
      properties: { ok: { type: "boolean" }, error: { type: "string" } },
      additionalProperties: false,
    },
  },
  additionalProperties: false,
} as const;
