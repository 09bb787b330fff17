/** What a client may ask of the service. */
export interface Limits {
  /** Of a request's body. */
  readonly bodyBytes: number;
  /** Of a sound or a video. */
  readonly mediaSeconds: number;
  /** Of a picture or a frame of a video, width · height. */
  readonly pixels: number;
  /** Requests that may be on their way or waiting besides those that are worked on. */
  readonly queue: number;
  /** For the work on one input. */
  readonly timeoutSeconds: number;
}

export const DEFAULT_LIMITS: Limits = {
  bodyBytes: 100 * 2 ** 20,
  mediaSeconds: 1800,
  pixels: 50_000_000,
  queue: 32,
  timeoutSeconds: 120,
};

/** In which a client must have sent what it has to send, milliseconds. */
export interface Patience {
  /** The head of a request. */
  readonly headMs: number;
  /** All of it. */
  readonly requestMs: number;
}
export const PATIENCE: Patience = { headMs: 15_000, requestMs: 120_000 };
/** More than these are not talked to at once. */
export const MOST_CONNECTIONS = 1000;
/** Of a form. */
export const FORM_LIMITS = {
  files: 2,
  fields: 16,
  parts: 18,
  fieldNameSize: 64,
  fieldSize: 1024,
  headerPairs: 32,
} as const;
