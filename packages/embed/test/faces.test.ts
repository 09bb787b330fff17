import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readEmbeddings } from "@emotion-service/core/hdf5/embeddings";
import { SHIPPED_FACE_CNN } from "@emotion-service/core/model/shippedModels";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { drawFace } from "../../../scripts/sample/faces.ts";
import { namesIn, runCommand, temporaryFolder } from "../../../test/command.ts";

/** A picture of a room with faces in it, each of so many pixels a side at a place. */
async function drawPeople(
  path: string,
  people: readonly { readonly face: number; readonly size: number; readonly left: number }[],
): Promise<void> {
  const faces = await Promise.all(
    people.map(async ({ face, size, left }) => ({
      input: await sharp(await drawFace({ emotion: "happy", face, seed: 7 }))
        .resize(size, size)
        .toBuffer(),
      left,
      top: 60,
    })),
  );
  await sharp({ create: { width: 900, height: 480, channels: 3, background: "grey" } })
    .composite(faces)
    .toFile(path);
}

/** Pictures of two people, of one, of nobody, and one that is broken. */
async function workplace(): Promise<string> {
  const folder = temporaryFolder();
  const room = join(folder, "room/happy");
  mkdirSync(room, { recursive: true });
  const [large, small] = [
    { face: 1, size: 260, left: 560 },
    { face: 2, size: 180, left: 100 },
  ];
  await drawPeople(join(room, "a.png"), [small, large]);
  await drawPeople(join(room, "b.png"), [small]);
  await drawPeople(join(room, "c.png"), []);
  writeFileSync(join(room, "d.png"), "no picture");
  return folder;
}

async function embed(folder: string, ...flags: readonly string[]) {
  const args = ["--images_dir", "room", "--quiet", "--json", ...flags];
  const { exitCode, stdout, stderr } = await runCommand("embed", args, { cwd: folder });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return JSON.parse(stdout) as Record<string, unknown>;
}

async function rowsOf(folder: string, name: string) {
  const { encoder, splits } = await readEmbeddings(join(folder, name), "");
  const { embeddings, paths } = splits.get("all")!;
  const row = (i: number): Float32Array =>
    embeddings.data.slice(i * encoder.dim, (i + 1) * encoder.dim);
  return { encoder, paths, rows: paths.map((_, i) => row(i)) };
}

/** No value of it needs quotes. */
function manifestOf(folder: string, name: string): Record<string, string>[] {
  const [header = [], ...rows] = readFileSync(join(folder, name), "utf8")
    .trim()
    .split("\n")
    .map((line) => line.trim().split(","));
  return rows.map((row) => Object.fromEntries(header.map((key, i) => [key, row[i] ?? ""])));
}

describe.each(["face", "face_cnn"])("--faces all of %s", (model) => {
  it("has a row a face, the largest first, and tells where each is", async () => {
    const folder = await workplace();
    const summary = await embed(folder, "--out_h5", "all.h5", "--faces", "all", "--model", model);
    expect(summary).toMatchObject({ model, inputs: 4, written: 3, failed: 2 });
    await embed(folder, "--out_h5", "one.h5", "--model", model);
    const [all, one] = [await rowsOf(folder, "all.h5"), await rowsOf(folder, "one.h5")];
    expect(all.paths).toEqual(["happy/a.png#01", "happy/a.png#02", "happy/b.png#01"]);
    expect(one.paths).toEqual(["happy/a.png", "happy/b.png"]);
    expect([all.rows[0], all.rows[2]]).toEqual(one.rows);
    expect(all.rows[1]).not.toEqual(all.rows[0]);
    expect(all.encoder).toEqual(one.encoder);
    const manifest = manifestOf(folder, "all_manifest.csv");
    expect(manifest.map(({ path, status }) => [path, status])).toEqual([
      ["happy/a.png#01", "ok"],
      ["happy/a.png#02", "ok"],
      ["happy/b.png#01", "ok"],
      ["happy/c.png", "failed"],
      ["happy/d.png", "failed"],
    ]);
    const middles = manifest.slice(0, 3).map(({ x, width }) => Number(x) + Number(width) / 2);
    const [first, second, third] = middles.map((middle) => Math.round(middle / 100));
    expect([first, second, third]).toEqual([7, 2, 2]); // about 690 and 190 pixels from the left
  });
});

it("face_cnn is the one that comes along unless a folder is named, and other models have no faces", async () => {
  const folder = await workplace();
  await embed(folder, "--out_h5", "a.h5", "--model", "face_cnn");
  await embed(folder, "--out_h5", "b.h5", "--model", "face_cnn", "--weights", SHIPPED_FACE_CNN);
  expect(readFileSync(join(folder, "b.h5"))).toEqual(readFileSync(join(folder, "a.h5")));
  for (const [flags, message] of [
    [["--model", "resnet18", "--faces", "all"], /--faces all: is for --model face or face_cnn/],
    [["--faces", "all", "--shard", "1/2"], /--faces all: cannot go with --shard/],
    [["--model", "face", "--weights", "x"], /--weights: is for --model resnet18, face_cnn or/],
  ] as const) {
    const args = ["--images_dir", "room", "--out_h5", "c.h5", ...flags];
    const result = await runCommand("embed", args, { cwd: folder });
    expect(result).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(message) as unknown,
    });
  }
  expect(namesIn(folder)).not.toContain("c.h5");
});
