import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { createOutputs, withOutputs } from "@emotion-service/core/files/outputs";
import { describe, expect, it, onTestFinished } from "vitest";
import { namesIn, temporaryFolder } from "../../../../test/command.ts";

const read = (...path: string[]): string => readFileSync(join(...path), "utf8");

/** Writes a file of the given text, or a folder that holds one file `inside`. */
const writeFile = (path: string, text: string): void => writeFileSync(path, text);
const writeFolder = (path: string, text: string): void => {
  mkdirSync(path);
  writeFileSync(join(path, "inside"), text);
};

describe("an output that is whole", () => {
  it("appears at its name when all are done, and not before", async () => {
    const folder = temporaryFolder();
    await withOutputs(async (outputs) => {
      writeFile(outputs.stage(join(folder, "a.txt")), "one");
      writeFolder(outputs.stage(join(folder, "b"), "folder"), "two");
      expect(namesIn(folder).filter((name) => !name.startsWith("."))).toEqual([]);
    });
    expect(namesIn(folder)).toEqual(["a.txt", "b"]);
    expect([read(folder, "a.txt"), read(folder, "b", "inside")]).toEqual(["one", "two"]);
  });

  it("makes the folders above it", async () => {
    const folder = temporaryFolder();
    await withOutputs(async (outputs) =>
      writeFile(outputs.stage(join(folder, "deep", "down", "a.txt")), "one"),
    );
    expect(read(folder, "deep", "down", "a.txt")).toBe("one");
  });

  it("replaces a file, and a folder with all that is in it", async () => {
    const folder = temporaryFolder();
    writeFile(join(folder, "a.txt"), "old");
    writeFolder(join(folder, "b"), "old");
    writeFile(join(folder, "b", "more"), "old");
    await withOutputs(async (outputs) => {
      writeFile(outputs.stage(join(folder, "a.txt")), "new");
      writeFolder(outputs.stage(join(folder, "b"), "folder"), "new");
      expect([read(folder, "a.txt"), read(folder, "b", "inside")]).toEqual(["old", "old"]);
    });
    expect(namesIn(folder)).toEqual(["a.txt", "b"]);
    expect([read(folder, "a.txt"), read(folder, "b", "inside")]).toEqual(["new", "new"]);
    expect(namesIn(join(folder, "b"))).toEqual(["inside"]);
  });

  it("can be made again and again by one run, as a checkpoint is", () => {
    const folder = temporaryFolder();
    const outputs = createOutputs();
    for (const text of ["first", "second"]) {
      writeFolder(outputs.stage(join(folder, "best"), "folder"), text);
      outputs.commit();
      expect(read(folder, "best", "inside")).toBe(text);
    }
    outputs.discard();
    expect(namesIn(folder)).toEqual(["best"]);
  });
});

describe("work that throws", () => {
  it("leaves nothing, and what was there as it was", async () => {
    const folder = temporaryFolder();
    writeFile(join(folder, "a.txt"), "old");
    const work = withOutputs(async (outputs) => {
      writeFile(outputs.stage(join(folder, "a.txt")), "new");
      writeFolder(outputs.stage(join(folder, "b"), "folder"), "new");
      outputs.stage(join(folder, "never-written"));
      throw new Error("in the middle");
    });
    await expect(work).rejects.toThrow("in the middle");
    expect(namesIn(folder)).toEqual(["a.txt"]);
    expect(read(folder, "a.txt")).toBe("old");
  });

  it("removes the folders that it made, of each output", async () => {
    const folder = temporaryFolder();
    const work = withOutputs(async (outputs) => {
      writeFile(outputs.stage(join(folder, "out", "a.txt")), "new");
      writeFile(outputs.stage(join(folder, "out", "deep", "down", "b.txt")), "new");
      writeFile(outputs.stage(join(folder, "out", "deep", "c.txt")), "new");
      throw new Error("in the middle");
    });
    await expect(work).rejects.toThrow("in the middle");
    expect(namesIn(folder)).toEqual([]);
  });

  it("keeps a folder that was there, or into which somebody else wrote", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "mine"));
    const work = withOutputs(async (outputs) => {
      outputs.stage(join(folder, "mine", "a.txt"));
      outputs.stage(join(folder, "made", "b.txt"));
      writeFile(join(folder, "made", "other.txt"), "of somebody else");
      throw new Error("in the middle");
    });
    await expect(work).rejects.toThrow("in the middle");
    expect(namesIn(folder)).toEqual(["made", "mine"]);
    expect(namesIn(join(folder, "made"))).toEqual(["other.txt"]);
  });
});

describe("a place that cannot be written", () => {
  it("below a file is refused before any work, and nothing is left", async () => {
    const folder = temporaryFolder();
    writeFile(join(folder, "file"), "in the way");
    const target = join(folder, "file", "a.txt");
    let worked = false;
    const work = withOutputs(async (outputs) => {
      outputs.stage(join(folder, "new", "b.txt"));
      outputs.stage(target);
      worked = true;
    });
    await expect(work).rejects.toMatchObject({
      code: "E_OUTPUT",
      message: expect.stringContaining(`${target}: cannot be written (`),
      hint: expect.stringContaining("name a place where you may create files"),
    });
    expect(worked).toBe(false);
    expect(namesIn(folder)).toEqual(["file"]);
  });

  it.each([
    ["file", writeFolder, "folder"],
    ["folder", writeFile, "file"],
  ] as const)("a %s of another kind's name, before any work", async (wanted, old, kind) => {
    const folder = temporaryFolder();
    old(join(folder, "taken"), "old");
    let worked = false;
    const work = withOutputs(async (outputs) => {
      writeFile(outputs.stage(join(folder, "a.txt")), "new");
      outputs.stage(join(folder, "taken"), wanted);
      worked = true;
    });
    await expect(work).rejects.toMatchObject({
      code: "E_OUTPUT",
      message: `${join(folder, "taken")}: cannot be written (a ${kind} of that name is in the way)`,
    });
    expect(worked).toBe(false);
    expect(namesIn(folder)).toEqual(["taken"]);
    expect(statSync(join(folder, "taken")).isDirectory()).toBe(kind === "folder");
  });

  it.each([
    ["file", writeFolder, writeFile],
    ["folder", writeFile, writeFolder],
  ] as const)(
    "a %s whose name was taken meanwhile: no output appears",
    async (wanted, other, own) => {
      const folder = temporaryFolder();
      const work = withOutputs(async (outputs) => {
        writeFile(outputs.stage(join(folder, "a.txt")), "new");
        own(outputs.stage(join(folder, "taken"), wanted), "new");
        other(join(folder, "taken"), "of somebody else");
      });
      await expect(work).rejects.toMatchObject({ code: "E_OUTPUT" });
      expect(namesIn(folder)).toEqual(["taken"]);
    },
  );

  it("the name of another output of the same run", async () => {
    const folder = temporaryFolder();
    const work = withOutputs(async (outputs) => {
      writeFile(outputs.stage(join(folder, "a")), "one");
      writeFile(outputs.stage(`${folder}/./a`), "two");
    });
    await expect(work).rejects.toMatchObject({ code: "E_FLAG" });
    expect(namesIn(folder)).toEqual([]);
  });
});

describe("what a run that was killed left", () => {
  /** The temporary name of an output as a process of that number gives it, on this machine or another. */
  const temporaryOf = (name: string, processId: number | undefined, machine?: string): string => {
    const outputs = createOutputs();
    const given = basename(outputs.stage(join(temporaryFolder(), name)));
    return given
      .replace(`-${process.pid}-`, `-${processId}-`)
      .replace(/(?<=tmp-)[0-9a-f]{6}/, (ours) => machine ?? ours);
  };
  const processThatEnded = (): number => spawnSync("true").pid;
  const processThatRuns = (): number | undefined => {
    const child = spawn("sleep", ["60"]);
    onTestFinished(() => void child.kill("SIGKILL"));
    return child.pid;
  };

  it("is removed where its process is gone; what may be another's stays", async () => {
    const folder = temporaryFolder();
    const dead = processThatEnded();
    const orphans = [temporaryOf("a.txt", dead), temporaryOf("a.txt", dead)];
    const others = [
      temporaryOf("a.txt", processThatRuns()),
      temporaryOf("a.txt", process.pid),
      temporaryOf("a.txt", dead, "0a1b2c"), // of another machine, which shares the disk
      temporaryOf("a.txt.gz", dead),
      temporaryOf("other", dead),
      ".a.txt.tmp-somebody's",
      "a.txt.tmp",
    ];
    for (const name of [...orphans, ...others]) writeFile(join(folder, name), "left");
    await withOutputs(async (outputs) => {
      const temporary = outputs.stage(join(folder, "a.txt"));
      expect(namesIn(folder)).toEqual(others.toSorted());
      writeFile(temporary, "new");
    });
    expect(namesIn(folder)).toEqual(["a.txt", ...others].toSorted());
    expect(read(folder, "a.txt")).toBe("new");
  });

  it("is removed with all that is in it where it is a folder", () => {
    const folder = temporaryFolder();
    writeFolder(join(folder, temporaryOf("best", processThatEnded())), "left");
    createOutputs().stage(join(folder, "best"), "folder");
    expect(namesIn(folder)).toEqual([]);
  });

  it("comes back where it is the old folder, put aside for a new one that did not take its place", () => {
    const folder = temporaryFolder();
    const orphan = temporaryOf("best", processThatEnded());
    writeFolder(join(folder, orphan), "new");
    writeFolder(join(folder, `${orphan}-old`), "old");
    createOutputs().stage(join(folder, "best"), "folder");
    expect(namesIn(folder)).toEqual(["best"]);
    expect(read(folder, "best", "inside")).toBe("old");
  });

  it("is removed where it is the old folder and the new one took its place", () => {
    const folder = temporaryFolder();
    writeFolder(join(folder, "best"), "new");
    writeFolder(join(folder, `${temporaryOf("best", processThatEnded())}-old`), "old");
    createOutputs().stage(join(folder, "best"), "folder");
    expect(namesIn(folder)).toEqual(["best"]);
    expect(read(folder, "best", "inside")).toBe("new");
  });
});
