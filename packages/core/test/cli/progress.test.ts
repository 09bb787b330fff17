import { createProgress, duration } from "@emotion-service/core/cli/progress";
import { table } from "@emotion-service/core/cli/table";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Progress over stderr of this kind, and what was written there. */
function progressOn({ isTTY = false, quiet = false }) {
  const written: string[] = [];
  const stderr = { write: (text: string) => (written.push(text), true), isTTY };
  return { ...createProgress({ stdout: stderr, stderr }, quiet), written };
}

describe("progress", () => {
  it("elsewhere than on a terminal is a plain line every ten seconds", () => {
    const { report, end, written } = progressOn({});
    for (let done = 0; done <= 100; done += 1) {
      report(done, 200, "files");
      vi.advanceTimersByTime(250);
    }
    end();
    expect(written).toEqual([
      "40/200 files (20 %), 4.0 files/s, 40 s left\n",
      "80/200 files (40 %), 4.0 files/s, 30 s left\n",
    ]);
  });

  it("on a terminal rewrites its line, and leaves none", () => {
    const { report, end, written } = progressOn({ isTTY: true });
    report(0, 0, "rows");
    vi.advanceTimersByTime(500);
    report(50, 0, "rows");
    end();
    expect(written).toEqual(["\r\u001B[2K50 rows, 100 rows/s", "\r\u001B[2K"]);
  });

  it("counts what an earlier run had done, and has its own rate", () => {
    const { report, written } = progressOn({ isTTY: true });
    report(90, 100, "files");
    vi.advanceTimersByTime(1000);
    report(95, 100, "files");
    expect(written).toEqual(["\r\u001B[2K95/100 files (95 %), 5.0 files/s, 1 s left"]);
  });

  it("is silent when quiet", () => {
    const { report, end, written } = progressOn({ isTTY: true, quiet: true });
    vi.advanceTimersByTime(60_000);
    report(1, 2, "files");
    end();
    expect(written).toEqual([]);
  });
});

it.each([
  [0.4, "0 s"],
  [59, "59 s"],
  [75, "1 min 15 s"],
  [3600, "60 min 0 s"],
])("%f s is %s", (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

it("a table aligns its columns", () => {
  expect(
    table([
      ["split", "rows"],
      ["a", 12_345],
      ["longer", 7],
    ]),
  ).toBe("split    rows\na       12345\nlonger      7");
});
