import { appendFileSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { RgbImage } from "@emotion-service/core/face/image";
import { videoFrames } from "@emotion-service/core/video/frames";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../../test/command.ts";
import { ffmpeg, hasFfmpeg } from "../../../../test/video.ts";

/** Luma of frame n is 16 + 8 n (16 is black), so that a frame tells its number. */
const LUMA_STEP = 8;
const MPEG4 = ["-c:v", "mpeg4", "-q:v", "1"];

/** What MPEG-4 at its best, with colours at half the resolution, may change. */
const NEAR = { rtol: 0, atol: 6 };

/** How a picture was turned when it was stored, and the matrix that says how to turn it back (ISO 14496-12, tkhd). */
const TURNS = [
  { turned: "", matrix: [1, 0, 0, 1], back: "not at all" },
  { turned: "transpose=cclock", matrix: [0, 1, -1, 0], back: "by 90 degrees, clockwise" },
  { turned: "hflip,vflip", matrix: [-1, 0, 0, -1], back: "by 180 degrees" },
  { turned: "transpose=clock", matrix: [0, -1, 1, 0], back: "by 270 degrees, clockwise" },
] as const;

/** A source of grey pictures, 10 a second, that tell their number. */
function numbered(frames: number): string {
  const luma = `lum=16+${LUMA_STEP}*N:cb=128:cr=128`;
  return `lavfi:color=black:size=64x48:rate=10:duration=${frames / 10},geq=${luma}`;
}

function made(name: string, ...args: string[]): string {
  const folder = temporaryFolder();
  ffmpeg(folder, ...args, name);
  return join(folder, name);
}

async function framesOf(path: string, fps = 2): Promise<RgbImage[]> {
  const frames: RgbImage[] = [];
  for await (const frame of videoFrames(path, { fps })) frames.push(frame);
  return frames;
}

async function numbersOf(path: string, fps = 2): Promise<number[]> {
  const frames = await framesOf(path, fps);
  return frames.map((frame) => {
    const luma = (pixel(frame, 0.5, 0.5)[1]! * 219) / 255; // of limited range
    return Math.round(luma / LUMA_STEP);
  });
}

/** The colour at a place, parts of width and height. */
function pixel({ data, width, height }: RgbImage, x: number, y: number): number[] {
  const at = (Math.floor(y * height) * width + Math.floor(x * width)) * 3;
  return [...data.subarray(at, at + 3)];
}

function sizesOf(frames: readonly RgbImage[]): string[] {
  return [...new Set(frames.map(({ width, height }) => `${width}x${height}`))];
}

async function refused(path: string): Promise<unknown> {
  return framesOf(path).catch((error: unknown) => error);
}

describe.skipIf(!hasFfmpeg())("the frames of a video (skipped where there is no ffmpeg)", () => {
  it.each([
    [2, [0, 5, 10, 15, 20]],
    [3, [0, 4, 7, 10, 14, 17, 20]], // the first frame at or after 0, 1/3, 2/3 … seconds
    [0.1, [0]],
    [60, Array.from({ length: 21 }, (_, n) => n)], // never a frame twice
  ])("at a constant rate, %d a second", async (fps, expected) => {
    const video = numbered(21);
    for (const name of ["a.mp4", "a.mkv"])
      expect(await numbersOf(made(name, video, ...MPEG4), fps)).toEqual(expected);
  });

  it.each(["a.mp4", "a.mkv"])(
    "at a variable rate are those that begin in their time, %s",
    async (name) => {
      const folder = temporaryFolder();
      const uneven = ["-vf", "setpts=0.1*N*N/TB"]; // at 0, 0.1, 0.4, 0.9, 1.6, 2.5 and 3.6 seconds
      ffmpeg(folder, numbered(7), ...uneven, ...MPEG4, "made.mkv");
      ffmpeg(folder, "-i", "made.mkv", "-c", "copy", name);
      const path = join(folder, name);
      expect(await numbersOf(path, 2)).toEqual([0, 3, 4, 5, 6]);
      expect(await numbersOf(path, 1)).toEqual([0, 4, 5, 6]);
      expect(await numbersOf(path, 10)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    },
  );

  it("of a track that starts late are counted from its first", async () => {
    const folder = temporaryFolder();
    ffmpeg(folder, numbered(11), ...MPEG4, "early.mkv");
    const late = ["-itsoffset", "3.3", "-i", "early.mkv", "-c:v", "copy"];
    ffmpeg(folder, "lavfi:sine=duration=6", ...late, "late.mkv");
    expect(await numbersOf(join(folder, "late.mkv"))).toEqual([0, 5, 10]);
  });

  it.each(["a.mp4", "a.mkv", "a.avi"])("there is one, %s", async (name) => {
    expect(await numbersOf(made(name, numbered(1), ...MPEG4))).toEqual([0]);
  });

  it("of several tracks come from the first, and never from a cover picture", async () => {
    const folder = temporaryFolder();
    const [red, blue] = ["red:size=64x48", "blue:size=640x480"].map(
      (colour) => `lavfi:color=${colour}:rate=10:duration=1`,
    );
    ffmpeg(folder, red!, blue!, "-map", "0", "-map", "1", ...MPEG4, "two.mkv");
    expect(sizesOf(await framesOf(join(folder, "two.mkv")))).toEqual(["64x48"]);
    const cover = ["-map", "0", "-map", "1", "-frames:v", "1", "-c:v", "mjpeg", "-disposition:v:0", "attached_pic"]; // prettier-ignore
    ffmpeg(folder, "lavfi:sine=duration=1", blue!, ...cover, "cover.m4v");
    expect(await refused(join(folder, "cover.m4v"))).toMatchObject({
      code: "E_INPUT_BROKEN",
      message: expect.stringContaining("it has no track of the kind that is wanted"),
    });
  });

  it("keep coming where their size changes, in the first one's size", async () => {
    const folder = temporaryFolder();
    for (const [size, name] of [
      ["64x48", "a.ts"],
      ["320x240", "b.ts"],
    ])
      // prettier-ignore
      ffmpeg(folder, `lavfi:color=red:size=${size}:rate=10:duration=2`, "-c:v", "mpeg2video", name!);
    appendFileSync(join(folder, "a.ts"), readFileSync(join(folder, "b.ts")));
    const frames = await framesOf(join(folder, "a.ts"));
    expect(sizesOf(frames)).toEqual(["64x48"]);
    expect(frames.length).toBeGreaterThan(6); // three seconds and more
  });

  it.each(TURNS)("are upright where they are to be turned $back", async ({ turned, matrix }) => {
    const corners = "drawbox=w=80:h=60:color=red:t=fill,drawbox=x=80:w=80:h=60:color=lime:t=fill";
    const upright = `lavfi:color=blue:size=160x120:rate=10:duration=1,${corners}`;
    const path = made("a.mp4", upright, ...(turned === "" ? [] : ["-vf", turned]), ...MPEG4);
    setMatrix(path, matrix);
    const frames = await framesOf(path);
    expect(sizesOf(frames)).toEqual(["160x120"]);
    for (const frame of frames) {
      expect(pixel(frame, 0.25, 0.25)).toBeAllClose([255, 0, 0], NEAR);
      expect(pixel(frame, 0.75, 0.25)).toBeAllClose([0, 255, 0], NEAR);
      expect(pixel(frame, 0.25, 0.75)).toBeAllClose([0, 0, 255], NEAR);
    }
  });

  it.each([
    ["as they are, odd sizes too", "161x121", "1", "161x121"],
    ["with square pixels, PAL widescreen", "360x288", "16/11", "524x288"],
    ["with square pixels, tall ones", "360x480", "1/2", "180x480"],
    ["at most 960 pixels wide", "1280x720", "1", "960x540"],
    ["at most 960 pixels high", "720x1280", "1", "540x960"],
    ["at most 960 pixels wide once they are square", "720x540", "2", "960x360"],
  ])("come %s", async (_, size, ratio, expected) => {
    const video = `lavfi:testsrc=size=${size}:rate=2:duration=1,setsar=${ratio},format=yuv444p`;
    expect(sizesOf(await framesOf(made("a.mkv", video, "-c:v", "ffv1")))).toEqual([expected]);
  });

  it.each(["yuv420p10le", "yuv422p12le", "gray", "gbrp", "yuva420p"])(
    "of %s are of 8 bits, in its colours",
    async (format) => {
      const video = `lavfi:color=gray:size=64x48:rate=2:duration=1,format=${format}`;
      const frames = await framesOf(made("a.mkv", video, "-c:v", "ffv1"));
      expect(frames).toHaveLength(2);
      expect(pixel(frames[0]!, 0.5, 0.5)).toBeAllClose([128, 128, 128], NEAR);
    },
  );

  it.each([
    ["a.mp4", [...MPEG4, "-movflags", "+faststart"]],
    ["a.mkv", MPEG4],
    ["a.avi", MPEG4],
    ["a.flv", ["-c:v", "flv1", "-q:v", "1"]],
    ["a.ts", ["-c:v", "mpeg2video", "-q:v", "1"]],
  ])("with a broken tail are those before it, %s", async (name, codec) => {
    const noise = "noise=alls=40:allf=t"; // so that every frame has its bytes
    const path = made(name, numbered(27), "-vf", noise, "-g", "5", ...codec);
    const whole = await framesOf(path);
    truncateSync(path, Math.floor(readFileSync(path).length * 0.6));
    const left = await framesOf(path);
    expect(left.length).toBeGreaterThanOrEqual(2);
    expect(left.length).toBeLessThan(whole.length);
    expect(left.slice(0, -1)).toEqual(whole.slice(0, left.length - 1)); // the last may be damaged
  });

  it.each([
    "a b.mp4",
    "-dash.mp4",
    "it's.mp4",
    'q"uo"te.mp4',
    "%03d.mp4",
    "12:30.mp4",
    "a|b.mp4",
    "$(id).mp4",
    "é\n.mp4",
  ])(
    // prettier-ignore
    "come whatever the file's name, %j",
    async (name) => {
      const plain = made("plain.mp4", numbered(6), ...MPEG4);
      const path = join(dirname(plain), name);
      writeFileSync(path, readFileSync(plain));
      expect(await numbersOf(path)).toEqual([0, 5]);
    },
  );
});

it.skipIf(!hasFfmpeg())("times are of the frames, whatever a title says", async () => {
  const title = " n: 0 pts: 9000000\n n: 1 pts: 9000000";
  const path = made("a.mkv", numbered(11), ...MPEG4, "-metadata", `title=${title}`);
  const seconds: number[] = [];
  for await (const frame of videoFrames(path, { fps: 2 })) seconds.push(frame.seconds);
  expect(seconds).toEqual([0, 0.5, 1]);
});

/** Writes a, b, c and d of the matrix into an MP4 file of one track. */
function setMatrix(path: string, [a, b, c, d]: readonly [number, number, number, number]): void {
  const bytes = readFileSync(path);
  const start = bytes.indexOf("tkhd") + 4 + 40;
  for (const [place, value] of [a, b, 0, c, d].entries())
    bytes.writeInt32BE(value * 2 ** 16, start + 4 * place);
  writeFileSync(path, bytes);
}

describe.skipIf(!hasFfmpeg())("no frames (skipped where there is no ffmpeg)", () => {
  it.each([
    ["of an empty file", "", /a\.mp4: is empty \(0 bytes\)/],
    ["of a text", "no video", /a\.mp4: ffmpeg cannot read it/],
  ])("%s", async (_, content, message) => {
    const path = join(temporaryFolder(), "a.mp4");
    writeFileSync(path, content);
    expect(await refused(path)).toMatchObject({
      code: "E_INPUT_BROKEN",
      message: expect.stringMatching(message),
    });
  });

  it("of an MP4 file that lost the table at its end", async () => {
    const path = made("a.mp4", numbered(20), ...MPEG4);
    truncateSync(path, readFileSync(path).indexOf("moov") - 4);
    expect(await refused(path)).toMatchObject({
      message: expect.stringContaining("its table of contents is missing: it was cut short"),
    });
  });

  it.each([
    ["a concat script", (name: string) => `ffconcat version 1.0\nfile ${name}\n`],
    ["a playlist", (name: string) => `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n${name}\n#EXT-X-ENDLIST\n`], // prettier-ignore
  ])("of another file, which %s names", async (_, contentOf) => {
    const other = made("other.ts", numbered(20), "-c:v", "mpeg2video");
    const path = join(dirname(other), "a.mp4");
    writeFileSync(path, contentOf(basename(other)));
    expect(await refused(path)).toMatchObject({ code: "E_INPUT_BROKEN" });
  });
});
