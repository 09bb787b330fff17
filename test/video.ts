import { execFileSync } from "node:child_process";
import { findFfmpeg } from "../packages/core/src/audio/ffmpeg.ts";
import sharp from "sharp";
import { drawFace } from "../scripts/sample/faces.ts";

export function hasFfmpeg(): boolean {
  try {
    findFfmpeg();
    return true;
  } catch {
    return false;
  }
}

/** Runs ffmpeg in a folder; a source for lavfi is named "lavfi:…". */
export function ffmpeg(folder: string, ...args: readonly string[]): void {
  const words = args.flatMap((word) =>
    word.startsWith("lavfi:") ? ["-f", "lavfi", "-i", word.slice("lavfi:".length)] : [word],
  );
  execFileSync(findFfmpeg(), ["-nostdin", "-v", "error", "-y", ...words], { cwd: folder });
}

/** Makes two seconds of a still picture at `name` in a folder; `sound` are ffmpeg's arguments for it, if it has any. */
export function makeVideo(
  folder: string,
  name: string,
  picture: string,
  sound: readonly string[],
): void {
  const still = ["-loop", "1", "-t", "2", "-i", picture];
  const codecs = ["-c:v", "mpeg4", "-q:v", "2", "-pix_fmt", "yuv420p", "-r", "10"];
  ffmpeg(folder, ...still, ...sound, ...codecs, name);
}

/** A picture of a room with a face in it. */
export async function drawRoom(path: string): Promise<void> {
  const face = await sharp(await drawFace({ emotion: "happy", face: 1, seed: 7 }))
    .resize(200, 200)
    .toBuffer();
  await sharp({ create: { width: 640, height: 480, channels: 3, background: "grey" } })
    .composite([{ input: face, left: 160, top: 60 }])
    .toFile(path);
}
