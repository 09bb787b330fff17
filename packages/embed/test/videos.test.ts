import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isRunning } from "@emotion-service/core/files/processes";
import { readEmbeddings } from "@emotion-service/core/hdf5/embeddings";
import { expect, describe, it } from "vitest";
import sharp from "sharp";
import { writeSpeechSample } from "../../../scripts/sample/writeSample.ts";
import { namesIn, runCommand, temporaryFolder } from "../../../test/command.ts";
import { drawRoom, ffmpeg, hasFfmpeg, makeVideo } from "../../../test/video.ts";

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
    ffmpeg(folder, ...voice.slice(0, 2), "-c:a", "aac", "videos/heard.mp4"); // no picture
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

  it("with resnet18 takes the frames whole, a mean over them; what a video lacks costs that alone", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "videos"));
    await drawRoom(join(folder, "room.png"));
    const tone = ["-f", "lavfi", "-t", "2", "-i", "sine", "-c:a", "aac"];
    makeVideo(folder, "videos/room.mp4", "room.png", tone);
    ffmpeg(folder, ...tone.slice(0, 6), "-c:a", "aac", "videos/heard.mp4");
    ffmpeg(folder, "-i", "videos/room.mp4", "-frames:v", "1", "-update", "1", "frame.png");
    const network = ["--model", "resnet18", "--weights", "random"];
    const args = ["--videos_dir", "videos", ...OUTPUTS, ...network, "--json"];
    const { exitCode, stdout } = await runCommand("embed", args, { cwd: folder });
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      images: { inputs: 2, written: 1, model: "resnet18", dim: 512 },
      audio: { inputs: 2, written: 2 },
    });
    expect(manifestOf(folder, "faces_manifest.csv")).toEqual({
      "heard.mp4": expect.stringContaining("it has no track of the kind that is wanted"),
      "room.mp4": "ok",
    });
    mkdirSync(join(folder, "frames"));
    renameSync(join(folder, "frame.png"), join(folder, "frames/frame.png"));
    const still = ["--images_dir", "frames", "--out_h5", "frame.h5", ...network];
    expect(await runCommand("embed", still, { cwd: folder })).toMatchObject({ exitCode: 0 });
    const [video, frame] = await Promise.all(
      ["faces.h5", "frame.h5"].map(async (name) =>
        (await readEmbeddings(join(folder, name), "")).splits.get("all")!,
      ),
    );
    // Its frames are all but one picture; the largest value is near 2.
    expect(video!.embeddings.data).toBeAllClose(frame!.embeddings.data, { rtol: 0, atol: 0.05 });
  });
});

describe("Ctrl-C", () => {
  it.each([
    ["frames", []],
    ["frames of resnet18", ["--model", "resnet18", "--weights", "random"]],
  ])("ends an ffmpeg that hangs, %s", async (_, flags) => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "videos"));
    writeFileSync(join(folder, "videos/a.mp4"), "ffmpeg would read this");
    const [script, started] = [join(folder, "ffmpeg"), join(folder, "started")];
    writeFileSync(script, `#!/bin/sh\ntrap '' INT TERM\necho $$ > "${started}"\nexec sleep 100\n`);
    chmodSync(script, 0o755);
    const { exitCode } = await runCommand(
      "embed",
      ["--videos_dir", "videos", ...OUTPUTS, ...flags],
      {
        cwd: folder,
        env: { FFMPEG_PATH: script },
        killWhen: () => existsSync(started) && readFileSync(started, "utf8").endsWith("\n"),
      },
    );
    expect(exitCode).toBe(130);
    expect(namesIn(folder)).toEqual(["ffmpeg", "started", "videos"]);
    const id = Number(readFileSync(started, "utf8"));
    await expect.poll(() => isRunning(id)).toBe(false);
  });
});

describe("embed --videos_dir refuses", () => {
  it.each([
    [["--videos_dir", "v", "--out_h5", "a.h5"], /--videos_dir: needs --out_audio_h5/],
    [["--videos_dir", "v", "--images_dir", "i", ...OUTPUTS], /exactly one of [^]*, got 2/],
    [
      ["--videos_dir", "v", ...OUTPUTS, "--model", "audio_stats"],
      /--model audio_stats: must be face or face_cnn or resnet18 \(or auto\) for pictures, or an \.onnx file/,
    ],
    [["--images_dir", "i", "--out_h5", "a.h5", "--fps", "2"], /--fps 2: is for --videos_dir/],
    [["--videos_dir", "v", ...OUTPUTS, "--fps", "0"], /--fps.* must be/],
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
      /--weights: is for --model resnet18,.*, the model is face/,
    ],
    [
      ["--videos_dir", "v", ...OUTPUTS, "--audio_weights", "w"],
      /--audio_weights: is for --audio_model audio_cnn, it is audio_stats/,
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
