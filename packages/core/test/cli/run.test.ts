import { Command, Option } from "@commander-js/extra-typings";
import { integerIn, jsonOption, numberIn, workersOption } from "@emotion-service/core/cli/flags";
import { runCli } from "@emotion-service/core/cli/run";
import { type ErrorCode, UserError } from "@emotion-service/core/errors";
import { describe, expect, it } from "vitest";

/** Runs a program with one flag of each kind; `action` sees the flags that it got. */
async function run(argv: readonly string[], action: (flags: object) => void = () => {}) {
  let stdout = "";
  let stderr = "";
  const io = {
    stdout: { write: (text: string) => ((stdout += text), true) },
    stderr: { write: (text: string) => ((stderr += text), true) },
  };
  const program = new Command("prog")
    .description("Does it.")
    .requiredOption("--audio_dir <dir>", "folder of the clips")
    .option("--kebab-case <text>", "a flag that is spelt with a hyphen itself")
    .addOption(new Option("--n_mels <bands>", "bands").default(64).argParser(integerIn(1, 512)))
    .addOption(new Option("--top_db <db>", "decibels").default(20).argParser(numberIn(0)))
    .addOption(workersOption("threads"))
    .addOption(jsonOption())
    .argument("[words...]")
    .action((words, flags) => {
      action({ ...flags, words });
    });
  const exitCode = await runCli(program, argv, io);
  return { exitCode, stdout, stderr };
}

async function flagsOf(...argv: string[]): Promise<object> {
  let flags: object = {};
  const { exitCode } = await run(argv, (given) => (flags = given));
  expect(exitCode).toBe(0);
  return flags;
}

describe("flags", () => {
  it.each([
    ["underscores", ["--audio_dir", "a", "--n_mels", "20"]],
    ["hyphens", ["--audio-dir", "a", "--n-mels", "20"]],
    ["underscores and =", ["--audio_dir=a", "--n_mels=20"]],
    ["hyphens and =", ["--audio-dir=a", "--n-mels=20"]],
  ])("in the spelling with %s", async (_, argv) => {
    expect(await flagsOf(...argv)).toMatchObject({ audio_dir: "a", n_mels: 20 });
  });

  it.each([
    ["--audio-dir=a=b-c=", "a=b-c="],
    ["--audio-dir=", ""],
    ["--audio_dir=--audio-dir", "--audio-dir"],
  ])("%s: the value is as it was given", async (word, value) => {
    expect(await flagsOf(word)).toMatchObject({ audio_dir: value });
  });

  it("that are spelt with a hyphen themselves stay so", async () => {
    expect(await flagsOf("--audio-dir", "a", "--kebab-case", "x")).toMatchObject({
      kebabCase: "x",
    });
  });

  it("end at --", async () => {
    expect(await flagsOf("--audio_dir", "a", "--", "--n-mels")).toMatchObject({
      n_mels: 64,
      words: ["--n-mels"],
    });
  });

  it("have defaults", async () => {
    expect(await flagsOf("--audio_dir", "a")).toEqual({
      audio_dir: "a",
      n_mels: 64,
      top_db: 20,
      workers: 4,
      json: false,
      words: [],
    });
  });
});

describe("wrong usage, status 2", () => {
  it("of a misspelt flag, even of one that is required, says so before anything else", async () => {
    const { exitCode, stderr } = await run(["--audio_dri", "a"]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("unknown option '--audio_dri'");
    expect(stderr).toContain("Did you mean --audio_dir");
  });

  it.each([
    [["--n_mels", "0"], "must be a whole number from 1 to 512, got '0'"],
    [["--n_mels", "513"], "must be a whole number from 1 to 512, got '513'"],
    [["--n_mels", "1.5"], "got '1.5'"],
    [["--n_mels", ""], "got ''"],
    [["--top_db", "-1"], "must be a number of at least 0, got '-1'"],
    [["--top_db", "much"], "got 'much'"],
    [["--top_db", "Infinity"], "got 'Infinity'"],
    [["--workers", "0"], "must be a whole number from 1 to 256, got '0'"],
    [["--n-mels"], "option '--n_mels <bands>' argument missing"],
    [["--n_melz", "3"], "unknown option '--n_melz'"],
  ])("%j", async (argv, message) => {
    let called = false;
    const { exitCode, stdout, stderr } = await run(
      ["--audio_dir", "a", ...argv],
      () => (called = true),
    );
    expect({ exitCode, stdout, called }).toEqual({ exitCode: 2, stdout: "", called: false });
    expect(stderr).toContain(message);
    expect(stderr).toContain("(prog --help lists the flags)");
  });

  it("a flag that must be there", async () => {
    const { exitCode, stderr } = await run([]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("required option '--audio_dir <dir>' not specified");
  });
});

it("--help is on stdout, status 0, without the flag that must be there", async () => {
  const { exitCode, stdout, stderr } = await run(["--help"]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(stdout).toContain("--audio_dir <dir>");
  expect(stdout).toMatch(/--n_mels <bands> +bands \(default: 64\)/);
});

describe("a failure that the user can mend", () => {
  it.each<[ErrorCode, number]>([
    ["E_FLAG", 2],
    ["E_INPUT_MISSING", 1],
    ["E_INPUT_EMPTY", 1],
    ["E_INPUT_BROKEN", 1],
    ["E_LAYOUT", 1],
    ["E_SETTINGS", 1],
    ["E_OUTPUT", 1],
    ["E_UNAVAILABLE", 1],
    ["E_ABORTED", 130],
  ])("%s: one line, status %i", async (code, status) => {
    const result = await run(["--audio_dir", "a"], () => {
      throw new UserError(code, "thing: rule, value", { cause: new Error("deep") });
    });
    expect(result).toEqual({ exitCode: status, stdout: "", stderr: "prog: thing: rule, value\n" });
  });

  it("has its hint on a line of its own", async () => {
    const { stderr } = await run(["--audio_dir", "a"], () => {
      throw new UserError("E_FLAG", "thing: rule", { hint: "cure" });
    });
    expect(stderr).toBe("prog: thing: rule\n  hint: cure\n");
  });
});

it("a fault of ours is not hidden", async () => {
  const fault = new TypeError("undefined is not a function");
  const work = run(["--audio_dir", "a"], () => {
    throw fault;
  });
  await expect(work).rejects.toBe(fault);
});
