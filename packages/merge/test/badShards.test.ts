import { copyFileSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inputsSha256 } from "@emotion-service/core/files/shard";
import { describe, expect, it } from "vitest";
import { namesIn, temporaryFolder } from "../../../test/command.ts";
import { runInProcess } from "../../../test/inProcess.ts";
import { createProgram } from "../src/cli.ts";
import { mergeH5 } from "../src/mergeH5.ts";
import {
  FIXED,
  type MadeRun,
  RAGGED,
  madePaths,
  shard,
  writeMade,
  writeMadeManifest,
  writeShards,
} from "./made.ts";

const INPUTS = madePaths(12);
const RUN: MadeRun = { inputs: INPUTS, failed: INPUTS.slice(3, 4) };
const NAMES = ["s1.h5", "s2.h5", "s3.h5"];
const MANIFESTS = ["m1.csv", "m2.csv", "m3.csv"];

/** As messages show it. */
const FINGERPRINT = inputsSha256(INPUTS).slice(0, 8);

/** Runs merge-h5 in `folder`, its outputs in a folder that is not there: nothing may be left of them. */
async function runBadly(folder: string, args: readonly string[]) {
  const before = namesIn(folder);
  const result = await runInProcess(createProgram, [...args, "--out_h5", "out/all.h5", "--quiet"], {
    cwd: folder,
  });
  expect(namesIn(folder)).toEqual(before);
  expect(result.stdout).toBe("");
  return result;
}

/** A folder with the three shards of RUN, one or more of which `edit` then replaces. */
async function folderOf(edit: (at: (name: string) => string) => Promise<void> | void) {
  const folder = temporaryFolder();
  await writeShards(folder, RUN, 3);
  await edit((name) => join(folder, name));
  return folder;
}

/** Paths of the rows of a shard of RUN. */
const REST = INPUTS.filter((path) => !RUN.failed?.includes(path));

describe("merge-h5 refuses", () => {
  const second = (change: Partial<MadeRun>, n = 3) =>
    folderOf((at) => writeMade(at("s2.h5"), { ...RUN, ...change }, shard(2, n)));

  const cases: [string, () => Promise<string>, readonly string[], string, string][] = [
    [
      "a file that is no shard",
      () => folderOf((at) => writeMade(at("whole.h5"), RUN)),
      ["s1.h5", "whole.h5"],
      "whole.h5: must be a shard, lacks the attributes 'shard' (such as 2/8), 'inputs' and 'inputs_sha256'",
      "name only files that audio-preprocess --shard i/n wrote",
    ],
    [
      "a missing shard",
      () => folderOf(() => {}),
      ["s3.h5", "s1.h5"],
      "<shards>: must be all 3 of the whole, 2 is missing",
      "run audio-preprocess --shard 2/3, or name its file",
    ],
    [
      "several missing shards",
      () => folderOf(() => {}),
      ["s2.h5"],
      "<shards>: must be all 3 of the whole, 1, 3 are missing",
      "run audio-preprocess --shard 1/3, or name its file",
    ],
    [
      "a doubled shard",
      () => folderOf((at) => copyFileSync(at("s2.h5"), at("again.h5"))),
      ["s2.h5", "s3.h5", "again.h5", "s1.h5"],
      "shard 2/3: must be given once, is s2.h5 and again.h5",
      "name each shard's file once, without what earlier runs left",
    ],
    [
      "a shard of another division",
      () => second({}, 4),
      NAMES,
      "s2.h5: must be one of 3 shards, as s1.h5 is, is shard 2/4",
      "merge the shards of one division: the same n in every --shard i/n",
    ],
    [
      "a shard of more files",
      () => second({ inputs: [...INPUTS, "z.wav"] }),
      NAMES,
      `s2.h5: must be of the same inputs as s1.h5 (12 files, fingerprint ${FINGERPRINT}), is of others (13 files, fingerprint `,
      "run the shards again that saw other inputs",
    ],
    [
      "a shard of as many files of other names",
      () => second({ inputs: [...INPUTS.slice(1), "z.wav"] }),
      NAMES,
      "is of others (12 files, fingerprint ",
      "run the shards again that saw other inputs",
    ],
    [
      "a shard of other settings",
      () => second({ config: { ...FIXED, hop_length: 256, top_db: 30.5 } }),
      NAMES,
      "s2.h5: made with other settings than s1.h5: hop_length is 256, must be 512; top_db is 30.5, must be 20; features/fixed is [rows, 3, 32], must be [rows, 3, 16]",
      "run the shards with the same flags",
    ],
    [
      "a shard of another version",
      () => second({ attributes: { created_by: "emotion-service 9" } }),
      NAMES,
      "created_by is emotion-service 9, must be emotion-service 0.1.0",
      "run the shards with the same flags",
    ],
    [
      "a shard with an extra",
      () => second({ extras: ["rms"] }),
      NAMES,
      "s2.h5: made with other settings than s1.h5: features/rms is [rows, 1, 16], must be absent",
      "run the shards with the same flags",
    ],
    [
      "a shard of the other layout",
      () => second({ config: { ...RAGGED, pad_mode: FIXED.pad_mode } }),
      NAMES,
      "s2.h5: made with other settings than s1.h5: fixed_duration is 0, must be 0.5; features/fixed is absent, must be [rows, 3, 16]; features/frames is [rows], must be absent; features/ragged is [rows, 3], must be absent",
      "run the shards with the same flags",
    ],
    [
      "a path in two shards",
      () => second({ rowPaths: REST }),
      NAMES,
      `'${REST[0]}': must have one row, has one in s1.h5 and one in s2.h5`,
      "run these shards again, on the same files",
    ],
    [
      "rows in another order",
      () => second({ rowPaths: ["b.wav", "a.wav"] }),
      NAMES,
      "s2.h5: its rows must be in the order of their paths, has 'b.wav' before 'a.wav'",
      "the file was made by hand; make it again with --shard",
    ],
    [
      "a row too few",
      () => second({ rowPaths: [] }),
      NAMES,
      "<shards>: their rows and failed files must be the 12 inputs, are ",
      "a file was changed by hand; run its shard again",
    ],
    [
      "no count of what failed",
      () => second({ attributes: { errors: "some" } }),
      NAMES,
      "s2.h5: lacks the attribute 'errors', a whole number",
      "name only files that audio-preprocess --shard i/n wrote",
    ],
    [
      "what is no HDF5",
      () => folderOf((at) => writeFileSync(at("s2.h5"), "text")),
      NAMES,
      "shard s2.h5: cannot be read as HDF5 (file signature not found)",
      "it may be cut short or of another format; make it again",
    ],
    [
      "a shard that is cut short",
      () => folderOf((at) => truncateSync(at("s2.h5"), 3000)),
      NAMES,
      "shard s2.h5: cannot be read as HDF5 (truncated file",
      "it may be cut short or of another format; make it again",
    ],
    [
      "a file that is not there",
      () => folderOf(() => {}),
      ["s1.h5", "nowhere.h5"],
      "shard nowhere.h5: no such file",
      "check the spelling; a relative path starts at the folder the command runs in",
    ],
  ];
  it.each(cases)("%s", async (_, make, args, message, hint) => {
    const { exitCode, stderr } = await runBadly(await make(), args);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^merge-h5: /);
    expect(stderr).toContain(`\n  hint: ${hint}\n`);
  });

  it("many missing shards without listing them all", async () => {
    const folder = temporaryFolder();
    await writeMade(join(folder, "s7.h5"), RUN, shard(7, 100));
    const { stderr } = await runBadly(folder, ["s7.h5"]);
    expect(stderr).toContain(" 1, 2, 3, 4, 5, 6, 8, 9, ");
    expect(stderr).toContain(" 20, 21 and 79 more are missing\n");
  });

  it("paths that are not the inputs, though there are as many", async () => {
    const folder = temporaryFolder();
    await writeShards(folder, { inputs: INPUTS, rowPaths: [] }, 2);
    await writeMade(
      join(folder, "s1.h5"),
      { inputs: INPUTS, rowPaths: [...INPUTS.slice(1), "z.wav"] },
      shard(1, 2),
    );
    const { exitCode, stderr } = await runBadly(folder, ["s1.h5", "s2.h5"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      `<shards>: the paths in them must be the inputs of which the shards are (fingerprint ${FINGERPRINT}), are others (`,
    );
  });

  it("shards without a row, as one run does", async () => {
    const folder = temporaryFolder();
    await writeShards(folder, { inputs: INPUTS, failed: INPUTS }, 3);
    const { exitCode, stderr } = await runBadly(folder, NAMES);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("<shards>: none of their 12 inputs has a row");
  });

  it("rows of another length than the settings say", async () => {
    const folder = temporaryFolder();
    await writeShards(folder, { ...RUN, attributes: { fixed_duration: 1 } }, 3);
    const { exitCode, stderr } = await runBadly(folder, NAMES);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /s\d\.h5: '.*' must have the 32 frames that 'fixed_duration' says, has 16/,
    );
  });

  it("a damaged shard by its own name, and leaves nothing of what was written", async () => {
    const folder = temporaryFolder();
    await writeShards(folder, { ...RUN, compression: "gzip" }, 3);
    const bytes = readFileSync(join(folder, "s1.h5"));
    bytes.fill(0, bytes.lastIndexOf(ZLIB_START)); // its compressed rows
    writeFileSync(join(folder, "s1.h5"), bytes);
    const { exitCode, stderr } = await runBadly(folder, NAMES);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^merge-h5: shard s1\.h5: cannot be read \(/);
  });
});

/** The first bytes of what zlib compresses at level 4. */
const ZLIB_START = Buffer.of(0x78, 0x5e);

describe("merge-h5 refuses manifests", () => {
  const merge = (folder: string, manifests: readonly string[]) =>
    runBadly(folder, [...NAMES, "--manifests", ...manifests, "--out_manifest", "out/all.csv"]);
  const failed = RUN.failed?.[0] ?? "";
  const manifestOf = (change: Partial<MadeRun>, index = 2) =>
    folderOf((at) =>
      writeMadeManifest(at(`m${index}.csv`), { ...RUN, ...change }, shard(index, 3)),
    );

  const cases: [string, () => Promise<string>, readonly string[], RegExp][] = [
    [
      "of which one is missing",
      () => folderOf(() => {}),
      ["m1.csv", "m3.csv"],
      /--manifests: must have a line for 'speaker .*' of s2\.h5/,
    ],
    [
      "of which one is doubled",
      () => folderOf(() => {}),
      [...MANIFESTS, "m2.csv"],
      /--manifests: 'speaker .*' must have one line, has one in m2\.csv and one in m2\.csv/,
    ],
    [
      "that lack a file that failed",
      () =>
        folderOf((at) =>
          MANIFESTS.forEach((name, i) =>
            writeMadeManifest(at(name), { ...RUN, inputs: REST }, shard(i + 1, 3)),
          ),
        ),
      MANIFESTS,
      /--manifests: must have a line for each of the 12 inputs, have 11/,
    ],
    [
      "that have a line too many",
      () => folderOf((at) => writeMadeManifest(at("more.csv"), { inputs: ["z.wav"] })),
      [...MANIFESTS, "more.csv"],
      /--manifests: must have a line for each of the 12 inputs, have 13/,
    ],
    [
      "that name another file that failed",
      () =>
        folderOf((at) =>
          MANIFESTS.forEach((name) =>
            writeFileSync(at(name), readFileSync(at(name), "utf8").replace(failed, `${failed}e`)),
          ),
        ),
      MANIFESTS,
      new RegExp(
        `--manifests: the paths in them must be the inputs of which the shards are .fingerprint ${FINGERPRINT}., are others `,
      ),
    ],
    [
      "of another run, in which a file failed that has a row",
      () => manifestOf({ failed: INPUTS }),
      MANIFESTS,
      /--manifests m2\.csv: says of '.*' that it is failed, and s2\.h5 has a row of it/,
    ],
    [
      "of another run, in which no file failed",
      () =>
        folderOf((at) =>
          MANIFESTS.forEach((name, i) =>
            writeMadeManifest(at(name), { inputs: INPUTS }, shard(i + 1, 3)),
          ),
        ),
      MANIFESTS,
      new RegExp(`says of '${failed}' that it is ok, and no shard has a row of it`),
    ],
    [
      "of other columns",
      () => folderOf((at) => writeMadeManifest(at("m2.csv"), RUN, shard(2, 3), ["path", "status"])),
      MANIFESTS,
      /--manifests m2\.csv: must have the columns of m1\.csv \(path, label, status, cause, frames\), has path, status/,
    ],
    [
      "that are cut short",
      () => folderOf((at) => truncateSync(at("m2.csv"), readFileSync(at("m2.csv")).length - 20)),
      MANIFESTS,
      /--manifests m2\.csv: row \d must have 5 fields, has [1-4]\n/,
    ],
    [
      "that are none",
      () => folderOf((at) => writeFileSync(at("m2.csv"), "a,b\n1,2\n")),
      MANIFESTS,
      /--manifests m2\.csv: lacks the column 'path' \(it has: a, b\)/,
    ],
  ];
  it.each(cases)("%s", async (_, make, manifests, message) => {
    const { exitCode, stderr } = await merge(await make(), manifests);
    expect(stderr).toMatch(message);
    expect(stderr).toContain("\n  hint: ");
    expect(exitCode).toBe(1);
  });
});

describe("merge-h5 with wrong flags", () => {
  it.each([
    [[], "missing required argument 'shards'"],
    [["s1.h5", "--manifests", "m1.csv"], "'--manifests <csv...>' needs '--out_manifest <csv>'"],
    [["s1.h5", "--out_manifest", "m.csv"], "'--out_manifest <csv>' needs '--manifests <csv...>'"],
    [["s1.h5", "--batch_write", "0"], "must be a whole number from 1 to 65536, got '0'"],
    [["s1.h5", "--compression", "gzip"], "unknown option '--compression'"],
  ])("%j", async (args, message) => {
    const { exitCode, stderr } = await runBadly(temporaryFolder(), args);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
  });

  it("needs --out_h5", async () => {
    const { exitCode, stderr } = await runInProcess(createProgram, ["s1.h5"]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("required option '--out_h5 <file>' not specified");
  });

  it.each([
    ["a shard", ["--out_h5", "s2.h5"], "s2.h5: would replace an input of that name"],
    [
      "a manifest",
      ["--out_h5", "all.h5", "--manifests", ...MANIFESTS, "--out_manifest", "./m2.csv"],
      "m2.csv: would replace an input of that name",
    ],
  ])("does not write over %s", async (_, args, message) => {
    const folder = await folderOf(() => {});
    const before = namesIn(folder).map((name) => readFileSync(join(folder, name)));
    const result = await runInProcess(createProgram, [...NAMES, ...args], { cwd: folder });
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain(message);
    expect(namesIn(folder).map((name) => readFileSync(join(folder, name)))).toEqual(before);
  });
});

it("stopped on its way, it leaves nothing", async () => {
  const folder = temporaryFolder();
  await writeShards(folder, { inputs: madePaths(200) }, 3);
  const before = namesIn(folder);
  const controller = new AbortController();
  const merging = mergeH5({
    shards: NAMES.map((name) => join(folder, name)),
    outH5: join(folder, "out/all.h5"),
    batchRows: 1,
    onProgress: (done) => {
      if (done === 5) controller.abort();
    },
    signal: controller.signal,
  });
  await expect(merging).rejects.toMatchObject({ code: "E_ABORTED" });
  expect(namesIn(folder)).toEqual(before);
});
