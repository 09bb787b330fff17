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
  bodyBytes: 200 * 2 ** 20,
  mediaSeconds: 1800,
  pixels: 50_000_000,
  queue: 64,
  timeoutSeconds: 120,
};

/** Of an upload: time for all of it to arrive. */
export const UPLOAD_SECONDS = 120;
/** Of a request's head: time for all of it to arrive. */
export const HEAD_SECONDS = 15;
/** Of a form. */
export const FORM_LIMITS = {
  files: 2,
  fields: 16,
  parts: 18,
  fieldNameSize: 64,
  fieldSize: 1024,
  headerPairs: 32,
} as const;
