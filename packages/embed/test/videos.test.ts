import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findFfmpeg } from "@emotion-service/core/audio/ffmpeg";
import { readEmbeddings } from "@emotion-service/core/hdf5/embeddings";
import { expect, describe, it } from "vitest";
import sharp from "sharp";
import { writeSpeechSample } from "../../../scripts/sample/writeSample.ts";
import { runCommand, temporaryFolder } from "../../../test/command.ts";
import { drawRoom, hasFfmpeg, makeVideo } from "../../../test/video.ts";

const OUTPUTS = ["--out_h5", "faces.h5", "--out_audio_h5", "voices.h5"];

/** What a manifest says of each of its rows. */
function manifestOf(folder: string, name: string): Record<string, string> {
  const [, ...lines] = readFileSync(join(folder, name), "utf8").trim().split("\n");
  return Object.fromEntries(
    lines.map((line) => {
      const [path = "", , status = "", ...cause] = line.split(",");
      return [path, status === "ok" ? "ok" : cause.join(",")];
    }),
  );
}

describe.skipIf(!hasFfmpeg())("embed --videos_dir (skipped where there is no ffmpeg)", () => {
  it("gives faces and sound the same names; what a video lacks is named and costs that alone", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "videos/happy"), { recursive: true });
    writeSpeechSample(join(folder, "audio"), { speakers: 1, sentences: 1 });
    await drawRoom(join(folder, "room.png"));
    await sharp({ create: { width: 400, height: 300, channels: 3, background: "grey" } })
      .png()
      .toFile(join(folder, "grey.png"));
    const voice = ["-i", "audio/1001_DFA_HAP_XX.wav", "-c:a", "aac"];
    const silence = ["-f", "lavfi", "-t", "2", "-i", "anullsrc=r=16000:cl=mono", "-c:a", "aac"];
    makeVideo(folder, "videos/happy/talk.mp4", "room.png", voice);
    makeVideo(folder, "videos/mute.mp4", "room.png", []);
    makeVideo(folder, "videos/silent.mp4", "room.png", silence);
    makeVideo(folder, "videos/faceless.mp4", "grey.png", voice);
    const ffmpeg = (...args: string[]) =>
      execFileSync(findFfmpeg(), ["-v", "error", ...args], { cwd: folder });
    ffmpeg(...voice.slice(0, 2), "-c:a", "aac", "videos/heard.mp4"); // no picture
    writeFileSync(join(folder, "videos/broken.mp4"), "no video");
    const args = ["--videos_dir", "videos", ...OUTPUTS, "--json"];
    const { exitCode, stdout } = await runCommand("embed", args, { cwd: folder });
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      images: { inputs: 6, written: 3, model: "face" },
      audio: { inputs: 6, written: 3, model: "audio_stats" },
    });
    expect(manifestOf(folder, "faces_manifest.csv")).toEqual({
      "broken.mp4": expect.stringMatching(/./),
      "faceless.mp4": expect.stringMatching(/^no face found in \d+ frames$/),
      "happy/talk.mp4": "ok",
      "heard.mp4": expect.stringMatching(/./),
      "mute.mp4": "ok",
      "silent.mp4": "ok",
    });
    expect(manifestOf(folder, "voices_manifest.csv")).toEqual({
      "broken.mp4": expect.stringMatching(/./),
      "faceless.mp4": "ok",
      "happy/talk.mp4": "ok",
      "heard.mp4": "ok",
      "mute.mp4": expect.stringContaining("it has no track of the kind that is wanted"),
      "silent.mp4": expect.stringContaining("silent"),
    });
    const { splits } = await readEmbeddings(join(folder, "voices.h5"), "");
    expect(splits.get("all")!.paths).toEqual(["faceless.mp4", "happy/talk.mp4", "heard.mp4"]);
    const pairing = ["--img_h5", "faces.h5", "--aud_h5", "voices.h5", "--out_h5", "pairs.h5"];
    const paired = await runCommand("pair", pairing, { cwd: folder });
    expect(paired).toMatchObject({ exitCode: 0 });
  });
});

describe("embed --videos_dir refuses", () => {
  it.each([
    [["--videos_dir", "v", "--out_h5", "a.h5"], /--videos_dir: needs --out_audio_h5/],
    [["--videos_dir", "v", "--images_dir", "i", ...OUTPUTS], /exactly one of [^]*, got 2/],
    [["--videos_dir", "v", ...OUTPUTS, "--model", "resnet18"], /--model resnet18: must be face/],
    [
      ["--videos_dir", "v", ...OUTPUTS, "--audio_model", "x"],
      /--audio_model x: must be audio_stats or audio_cnn/,
    ],
    [
      ["--videos_dir", "v", ...OUTPUTS, "--manifest_name", "m.csv"],
      /--manifest_name m\.csv: is for one output/,
    ],
    [
      ["--videos_dir", "v", ...OUTPUTS, "--weights", "w"],
      /--weights: is for --audio_model audio_cnn/,
    ],
    [["--audio_dir", "a", ...OUTPUTS], /--out_audio_h5 voices\.h5: is for --videos_dir/],
  ])("%j", async (args, message) => {
    const folder = temporaryFolder();
    const { exitCode, stderr } = await runCommand("embed", args, { cwd: folder });
    expect(stderr).toMatch(message);
    expect(exitCode).toBe(2);
    expect(existsSync(join(folder, "a.h5"))).toBe(false);
  });
});
