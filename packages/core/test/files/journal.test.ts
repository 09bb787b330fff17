import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import {
  type Journal,
  type JournalSettings,
  journalPath,
  openJournal,
} from "@emotion-service/core/files/journal";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { namesIn, temporaryFolder } from "../../../../test/command.ts";

interface Facts {
  readonly frames: number;
}

const SETTINGS: JournalSettings = { sr: 16_000, top_db: 20.5, features: "mel" };

/** Opens a journal that the test closes, should it still be open, when it ends. */
function open(target: string, how: { resume?: boolean; settings?: JournalSettings } = {}) {
  const { resume = true, settings = SETTINGS } = how;
  const journal = openJournal<Facts>(target, settings, resume);
  onTestFinished(() => journal.close(false));
  return journal;
}

const newTarget = (): string => join(temporaryFolder(), "audio.h5");

/** Pieces whose keys have lengths and letters of many kinds, so that the numbers start at every remainder of four. */
const KEYS = ["a.wav", "ab.wav", "abc.wav", "abcd.wav", "späße/三 '\"\n\\.wav", "\u{1F600}"];
const numbersOf = (key: string): Float32Array =>
  Float32Array.from({ length: key.length }, (_, i) => Math.fround(0.1 * (i + key.length)));

function appendAll(journal: Journal<Facts>, keys: readonly string[]): void {
  for (const key of keys) journal.append(key, { frames: key.length }, numbersOf(key));
}

/** The pieces of `keys` that are there, and that each is what was appended. */
function expectPieces(journal: Journal<Facts>, keys: readonly string[]): void {
  expect(KEYS.filter((key) => journal.has(key))).toEqual(keys);
  for (const key of keys)
    expect(journal.read(key)).toEqual({ facts: { frames: key.length }, numbers: numbersOf(key) });
}

/** A journal of all KEYS that a killed run left: its target, its bytes, and where each piece ends in it. */
function leftBehind(): { target: string; path: string; bytes: Buffer; ends: number[] } {
  const target = newTarget();
  const path = journalPath(target);
  const journal = open(target);
  const ends = KEYS.map((key) => {
    appendAll(journal, [key]);
    return statSync(path).size;
  });
  journal.close(false);
  return { target, path, bytes: readFileSync(path), ends };
}

describe("a journal", () => {
  it("lies beside its output, hidden, and goes with the work: or stays for the next run", () => {
    const target = newTarget();
    const folder = join(target, "..");
    const first = open(target);
    appendAll(first, ["a.wav"]);
    expect(namesIn(folder)).toEqual([".audio.h5.unfinished"]);
    first.close(false);
    expect(namesIn(folder)).toEqual([".audio.h5.unfinished"]);
    const second = open(target);
    second.close(true);
    second.close(true);
    expect(namesIn(folder)).toEqual([]);
  });

  it("does not stay where nothing is in it", () => {
    const target = newTarget();
    open(target).close(false);
    expect(namesIn(join(target, ".."))).toEqual([]);
  });

  it("gives back each piece, in any order, and those of an earlier run", () => {
    const target = newTarget();
    const first = open(target);
    appendAll(first, KEYS.slice(0, 4));
    expectPieces(first, KEYS.slice(0, 4));
    first.close(false);
    const second = open(target);
    expectPieces(second, KEYS.slice(0, 4));
    appendAll(second, KEYS.slice(4));
    for (const key of KEYS.toReversed()) expect(second.read(key).numbers).toEqual(numbersOf(key));
    second.close(false);
    expectPieces(open(target), KEYS);
  });

  it("gives back every bit of a number, none and very many of them", () => {
    const target = newTarget();
    const pieces = new Map([
      ["odd", Float32Array.of(-0, Infinity, -Infinity, NaN, 1e-45, 3.4e38)],
      ["none", new Float32Array(0)],
      ["many", Float32Array.from({ length: 3_000_000 }, (_, i) => i)],
      ["part", Float32Array.from({ length: 100 }, (_, i) => i).subarray(7, 9)], // of a larger array
    ]);
    const first = open(target);
    for (const [key, numbers] of pieces) first.append(key, { frames: 1 }, numbers);
    first.close(false);
    const second = open(target);
    const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Buffer =>
      Buffer.from(buffer, byteOffset, byteLength);
    for (const [key, numbers] of pieces)
      expect(bytesOf(second.read(key).numbers).equals(bytesOf(numbers))).toBe(true);
  });

  it("begins anew where it is not to go on", () => {
    const { target } = leftBehind();
    const journal = open(target, { resume: false, settings: { sr: 8000 } });
    expectPieces(journal, []);
    appendAll(journal, ["ab.wav"]);
    expectPieces(journal, ["ab.wav"]);
    journal.close(false);
    expectPieces(open(target, { settings: { sr: 8000 } }), ["ab.wav"]);
  });

  it("has nothing where there is none to go on from", () => {
    const target = newTarget();
    const journal = open(target);
    expectPieces(journal, []);
    expect(() => journal.read("a.wav")).toThrow("the journal has no 'a.wav'");
  });
});

describe("other settings", () => {
  it("are refused, by name with both values; the journal stays as it was", () => {
    const { target } = leftBehind();
    const settings = { ...SETTINGS, sr: 8000, features: "mel,rms" };
    expect(() => open(target, { settings })).toThrow(
      expect.objectContaining({
        code: "E_SETTINGS",
        message: `${target}: the unfinished run was begun with other settings (sr 16000, now 8000; features mel, now mel,rms)`,
        hint: "give --resume the same flags, or leave it out to begin anew",
      }),
    );
    expectPieces(open(target), KEYS);
  });

  it("are also one more and one less", () => {
    const { target } = leftBehind();
    const { features: _, ...less } = SETTINGS;
    for (const settings of [less, { ...SETTINGS, n_mels: 64 }])
      expect(() => open(target, { settings })).toThrow(/with other settings/);
  });
});

describe("a journal that is not whole", () => {
  it("was cut at any byte: the pieces before it stay, the cut one is gone, others can be added", () => {
    const { target, path, bytes, ends } = leftBehind();
    const last = "new.wav";
    for (let length = 0; length < bytes.length; length += 1) {
      writeFileSync(path, bytes.subarray(0, length));
      const whole = KEYS.filter((_, i) => ends[i]! <= length);
      const journal = openJournal<Facts>(target, SETTINGS, true);
      expectPieces(journal, whole);
      appendAll(journal, [last]);
      journal.close(false);
      const again = openJournal<Facts>(target, SETTINGS, true);
      expectPieces(again, whole);
      expect(again.read(last).numbers).toEqual(numbersOf(last));
      again.close(false);
    }
  });

  it("has a wrong byte anywhere: the pieces before it stay, and what it gives is right", () => {
    const { target, path, bytes, ends } = leftBehind();
    const firstPiece = bytes.indexOf('{"key"') - 12; // the head of the first piece, behind the settings
    for (let at = 0; at < bytes.length; at += 1) {
      const damaged = Buffer.from(bytes);
      damaged[at] = damaged[at]! ^ 0x10;
      writeFileSync(path, damaged);
      const journal = openJournal<Facts>(target, SETTINGS, true);
      const there = KEYS.filter((key) => journal.has(key));
      // Before the first piece it may be the settings that cannot be read: then there is nothing to go on from.
      expectPieces(journal, at < firstPiece ? there : KEYS.filter((_, i) => ends[i]! <= at));
      journal.close(false);
    }
  });

  it("goes on in garbage, whatever it is", () => {
    const { target, path, bytes, ends } = leftBehind();
    const ending = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(fc.nat({ max: bytes.length }), ending, (length, garbage) => {
        const sound = Buffer.concat([bytes.subarray(0, length), garbage]);
        writeFileSync(path, sound);
        const journal = openJournal<Facts>(target, SETTINGS, true);
        try {
          const there = KEYS.filter((key) => journal.has(key));
          expectPieces(journal, there);
          expect(there.length).toBeGreaterThanOrEqual(ends.filter((end) => end <= length).length);
          journal.append("new.wav", { frames: 3 }, Float32Array.of(1, 2, 3));
          expect(journal.read("new.wav").numbers).toEqual(Float32Array.of(1, 2, 3));
        } finally {
          journal.close(false);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("ends in zeros, as a file does whose blocks a power cut kept from the disk", () => {
    const { target, path } = leftBehind();
    appendFileSync(path, new Uint8Array(10_000));
    expectPieces(open(target), KEYS);
  });

  it("is of another version, or none of ours: it begins anew", () => {
    const { target, path, bytes } = leftBehind();
    const other = bytes.toString("latin1").replace("unfinished run 1", "unfinished run 2");
    for (const content of [Buffer.from(other, "latin1"), Buffer.from("some text")]) {
      writeFileSync(path, content);
      const journal = open(target);
      expectPieces(journal, []);
      appendAll(journal, KEYS);
      journal.close(false);
      expectPieces(open(target), KEYS);
    }
  });
});

/** The built journal: another process reads no TypeScript. */
const BUILT = new URL("../../dist/files/journal.js", import.meta.url).href;

/** Another process that runs `script`, in which `open(target)` opens a journal to go on with; ready once it says so. */
async function otherProcess(script: string): Promise<ChildProcess> {
  const program = `
    const { openJournal } = await import("${BUILT}");
    const open = (target) => openJournal(target, ${JSON.stringify(SETTINGS)}, true);
    ${script}
    console.log("ready");
    setTimeout(() => {}, 60_000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  return child;
}

describe("a journal of another process", () => {
  /** Appends a piece to the journal of `target`. */
  const append = (target: string): string =>
    `const journal = open(${JSON.stringify(target)});
    journal.append("a.wav", { frames: 5 }, Float32Array.of(${numbersOf("a.wav").join()}));`;

  it("that is running is refused; of one that was killed it goes on", async () => {
    const target = newTarget();
    const child = await otherProcess(append(target));
    for (const resume of [true, false])
      expect(() => open(target, { resume })).toThrow(
        expect.objectContaining({
          code: "E_OUTPUT",
          message: `${target}: is being written by process ${child.pid}`,
          hint: "wait for it to end, or name another output",
        }),
      );
    child.kill("SIGKILL");
    await once(child, "exit");
    expectPieces(open(target), ["a.wav"]);
  });

  it("that is running but has closed it is free", async () => {
    const target = newTarget();
    await otherProcess(`${append(target)} journal.close(false);`);
    expectPieces(open(target), ["a.wav"]);
  });

  it("that was killed, though nobody has asked for its end yet", async () => {
    const target = newTarget();
    const child = await otherProcess(append(target));
    child.kill("SIGKILL");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300); // meanwhile this process hears of no end
    expectPieces(open(target), ["a.wav"]);
  });

  it.each([
    [
      "whose number another has now",
      /(?<= started at )\d+/,
      (start: string) => start.replaceAll(/\d/g, "7"),
    ],
    ["of another machine", /(?<= of machine )\w+/, () => "ffffff"],
  ])("%s is taken over", async (_, pattern, replacement) => {
    const target = newTarget();
    const path = journalPath(target);
    await otherProcess(append(target));
    const text = readFileSync(path).toString("latin1");
    writeFileSync(path, text.replace(pattern, replacement), "latin1");
    expectPieces(open(target), ["a.wav"]);
  });

  it.each([
    ["of other lengths", "abc.wav"],
    ["of the same length, so that the key alone tells", "x.wav"],
  ])(
    "that writes too, from another machine, spoils pieces but gives no wrong ones (%s)",
    (_, key) => {
      const target = newTarget();
      const mine = open(target);
      appendAll(mine, ["ab.wav"]);
      const theirs = open(target); // of this process, which does not refuse itself
      mine.append("a.wav", { frames: 5 }, numbersOf("a.wav"));
      theirs.append(key, { frames: 5 }, numbersOf(key));
      expect(mine.read("ab.wav").numbers).toEqual(numbersOf("ab.wav"));
      expect(() => mine.read("a.wav")).toThrow(
        expect.objectContaining({
          code: "E_OUTPUT",
          message: `${target}: another process writes it too`,
        }),
      );
    },
  );
});

describe("a journal that cannot be written", () => {
  it("names the output, not the hidden file", () => {
    const target = newTarget();
    mkdirSync(journalPath(target));
    expect(() => open(target)).toThrow(
      expect.objectContaining({
        code: "E_OUTPUT",
        message: expect.stringMatching(/audio\.h5: cannot be written \(EISDIR/),
      }),
    );
  });

  it("since the disk takes no more: what was appended before stays, and it goes on once there is room", () => {
    const target = newTarget();
    // A process that may write files of 64 blocks, 32 or 64 KiB, and is told so by an error.
    const program = `
      const { openJournal } = await import("${BUILT}");
      const journal = openJournal(${JSON.stringify(target)}, ${JSON.stringify(SETTINGS)}, true);
      let n = 0;
      try {
        for (; n < 1000; n += 1) journal.append("piece " + n, { frames: n }, new Float32Array(1000).fill(n));
      } catch ({ code, message }) {
        console.log(JSON.stringify({ n, code, message }));
      }
      journal.close(false);`;
    const limited = `trap "" XFSZ; ulimit -f 64; exec "$0" --input-type=module -e "$1"`;
    const told = execFileSync("sh", ["-c", limited, process.execPath, program], {
      encoding: "utf8",
    });
    const { n, code, message } = JSON.parse(told) as { n: number; code: string; message: string };
    expect(n).toBeGreaterThan(5);
    expect(n).toBeLessThan(20);
    expect({ code, message }).toEqual({
      code: "E_OUTPUT",
      message: expect.stringMatching(/audio\.h5: cannot be written \(EFBIG/),
    });
    const journal = open(target);
    for (let piece = 0; piece < n; piece += 1)
      expect(journal.read(`piece ${piece}`)).toEqual({
        facts: { frames: piece },
        numbers: new Float32Array(1000).fill(piece),
      });
    expect(journal.has(`piece ${n}`)).toBe(false);
    journal.append(`piece ${n}`, { frames: n }, Float32Array.of(n));
    expect(journal.read(`piece ${n}`).numbers).toEqual(Float32Array.of(n));
  });

  it("from its first byte on leaves nothing", () => {
    const target = newTarget();
    const program = `
      const { openJournal } = await import("${BUILT}");
      try {
        openJournal(${JSON.stringify(target)}, {}, false);
      } catch ({ code, message }) {
        console.log(code);
      }`;
    const limited = `trap "" XFSZ; ulimit -f 0; exec "$0" --input-type=module -e "$1" | cat`;
    const told = execFileSync("sh", ["-c", limited, process.execPath, program], {
      encoding: "utf8",
    });
    expect(told).toBe("E_OUTPUT\n");
    expect(existsSync(journalPath(target))).toBe(false);
  });
});
