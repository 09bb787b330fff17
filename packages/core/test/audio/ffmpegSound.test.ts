import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { findFfmpeg } from "@emotion-service/core/audio/ffmpeg";
import { openByFfmpeg } from "@emotion-service/core/audio/ffmpegSound";
import { type Sound, samplesOf } from "@emotion-service/core/audio/sound";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../../test/command.ts";

/** A file of a sound that ffmpeg makes by an expression of the time t (s) for each channel. */
function made(name: string, expressions: string, seconds: number, sampleRateHz = 8000): string {
  const path = join(temporaryFolder(), name);
  const source = `aevalsrc=${expressions}:s=${sampleRateHz}:d=${seconds}`;
  execFileSync(findFfmpeg(), ["-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", source, path]);
  return path;
}

/** Reads until so many samples have come; tells how many did. */
async function readSome(sound: Sound, most: number): Promise<number> {
  let taken = 0;
  await sound.read((block) => (taken += block.length) < most);
  return taken;
}

it("averages the channels, however many there are", async () => {
  const sound = await openByFfmpeg(made("six.aiff", "0.6|0|0|0|0.3|0", 0.1));
  expect(sound).toMatchObject({ sampleRateHz: 8000, channels: 6 });
  const samples = await samplesOf(sound);
  expect(samples).toHaveLength(800);
  expect(samples).toBeAllClose(new Float32Array(800).fill(0.15), { rtol: 0, atol: 2 ** -15 });
});

it("keeps what exceeds full scale where the file does", async () => {
  const path = join(temporaryFolder(), "loud.aiff");
  const source = "aevalsrc=2.5:s=8000:d=0.01";
  const options = ["-c:a", "pcm_f32be", "-f", "aiff"];
  execFileSync(findFfmpeg(), ["-loglevel", "error", "-f", "lavfi", "-i", source, ...options, path]);
  expect(await samplesOf(await openByFfmpeg(path))).toEqual(new Float32Array(80).fill(2.5));
});

it("a short sound is decoded once and may be read again", async () => {
  const sound = await openByFfmpeg(made("short.aiff", "sin(2000*t)", 1));
  const first = await samplesOf(sound);
  expect(first).toHaveLength(8000);
  expect(await samplesOf(sound)).toEqual(first);
});

describe("a sound that is too long to be kept", () => {
  const seconds = 100; // 4.8 million samples
  const long = () => openByFfmpeg(made("long.aiff", "0.001*floor(10*t)-0.5", seconds, 48_000));

  it("is decoded at each read, all of it", async () => {
    const sound = await long();
    for (let time = 0; time < 2; time += 1) {
      const samples = await samplesOf(sound);
      expect(samples).toHaveLength(seconds * 48_000);
      const everySecond = Array.from({ length: seconds }, (_, i) => samples[48_000 * i + 24_000]!);
      const expected = Array.from({ length: seconds }, (_, i) => 0.001 * (10 * i + 5) - 0.5);
      expect(everySecond).toBeAllClose(expected, { rtol: 0, atol: 2 ** -14 });
    }
  });

  it("may be left at any place", async () => {
    const sound = await long();
    for (const most of [1, 100_000, 1_000_000]) {
      const taken = await readSome(sound, most);
      expect(taken).toBeGreaterThanOrEqual(most);
      expect(taken).toBeLessThan(most + 100_000);
    }
  });
});

it.each([
  ["a video without sound", "mute.avi", "it has no track of the kind that is wanted"],
  ["a picture", "picture.png", "it is no sound and no video, or a list of other files"],
])("%s is refused", async (_, name, cause) => {
  const path = join(temporaryFolder(), name);
  const source = "color=red:size=16x16:duration=1:rate=1";
  execFileSync(findFfmpeg(), ["-loglevel", "error", "-f", "lavfi", "-i", source, path]);
  await expect(openByFfmpeg(path)).rejects.toMatchObject({
    code: "E_INPUT_BROKEN",
    message: `${path}: ffmpeg cannot read it (${cause})`,
  });
});

it("a sound that takes longer than it may is refused", async () => {
  const path = made("slow.aiff", "0", 200, 48_000);
  await expect(openByFfmpeg(path, 1)).rejects.toMatchObject({
    code: "E_INPUT_BROKEN",
    message: `${path}: took longer than 0.001 s`,
  });
});
