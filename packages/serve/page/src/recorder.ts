/** What can be recorded. */
export type RecordKind = "photo" | "sound" | "video";

const CONSTRAINTS: Readonly<Record<RecordKind, MediaStreamConstraints>> = {
  photo: { video: { width: { ideal: 1280 }, facingMode: "user" } },
  // What calls do to a voice is not in what the models learnt from.
  sound: { audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } },
  video: {
    video: { width: { ideal: 1280 }, facingMode: "user" },
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  },
};

/** Containers that browsers record, the first that this one knows is taken. */
const CONTAINERS: Readonly<Record<Exclude<RecordKind, "photo">, readonly string[]>> = {
  sound: ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"],
  video: ["video/webm;codecs=vp8,opus", "video/webm", "video/mp4"],
};

const PHOTO_QUALITY = 0.95;

/**
 * Asks for the camera, the microphone or both.
 * @throws Error whose message a person can read
 */
export async function openDevices(kind: RecordKind): Promise<MediaStream> {
  // A page that came over plain http from another machine has none.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (devices === undefined)
    throw new Error(
      "Browsers record on https pages and on localhost only. Open the page that way, or choose a file.",
    );
  try {
    return await devices.getUserMedia(CONSTRAINTS[kind]);
  } catch (error) {
    throw new Error(whyNot(error, kind), { cause: error });
  }
}

function whyNot(error: unknown, kind: RecordKind): string {
  const name = error instanceof DOMException ? error.name : "";
  const device = { photo: "camera", sound: "microphone", video: "camera or microphone" }[kind];
  if (name === "NotAllowedError")
    return `The browser may not use the ${device}. Allow it in the address bar, then try again.`;
  if (name === "NotFoundError") return `No ${device} was found.`;
  if (name === "NotReadableError") return `The ${device} is in use by another program.`;
  return `The ${device} could not be opened (${name || String(error)}).`;
}

/** The camera's picture as it is now. */
export function takePhoto(preview: HTMLVideoElement): Promise<File> {
  const { videoWidth: width, videoHeight: height } = preview;
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  canvas.getContext("2d")?.drawImage(preview, 0, 0);
  return new Promise((done, fail) => {
    const keep = (blob: Blob | null): void =>
      blob === null
        ? fail(new Error("The camera gave no picture."))
        : done(new File([blob], "photo.jpg", { type: blob.type }));
    canvas.toBlob(keep, "image/jpeg", PHOTO_QUALITY);
  });
}

/** A recording that runs. */
export interface Recording {
  readonly stop: () => void;
  /** Once it is stopped. */
  readonly file: Promise<File>;
}

export function startRecording(stream: MediaStream, kind: "sound" | "video"): Recording {
  const container = CONTAINERS[kind].find((type) => MediaRecorder.isTypeSupported(type));
  const recorder = new MediaRecorder(
    stream,
    container === undefined ? {} : { mimeType: container },
  );
  const pieces: Blob[] = [];
  recorder.addEventListener("dataavailable", ({ data }) => pieces.push(data));
  const file = new Promise<File>((done) => {
    recorder.addEventListener("stop", () => {
      const type = recorder.mimeType.split(";")[0] ?? "";
      const extension = type.split("/")[1] ?? "webm";
      const media = kind === "sound" ? "audio" : "video";
      done(new File(pieces, `recording.${extension}`, { type: `${media}/${extension}` }));
    });
  });
  recorder.start(1000);
  return { stop: () => recorder.state !== "inactive" && recorder.stop(), file };
}

/** Below this the meter shows nothing, decibels of full scale. */
const QUIETEST_DB = -60;

/**
 * Measures how loud the microphone is, about fifteen times a second.
 * @param onLevel told 0 (-60 dB of full scale, or less) to 1 (full scale)
 * @returns ends it
 */
export function followLevel(stream: MediaStream, onLevel: (level: number) => void): () => void {
  const audio = new AudioContext();
  const analyser = audio.createAnalyser();
  audio.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    onLevel(Math.min(1, Math.max(0, 1 - (10 * Math.log10(power + 1e-12)) / QUIETEST_DB)));
  }, 66);
  return () => {
    clearInterval(timer);
    void audio.close();
  };
}
