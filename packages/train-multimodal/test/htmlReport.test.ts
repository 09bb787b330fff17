import { expect, it } from "vitest";
import { htmlReport } from "../src/htmlReport.ts";
import { spreadOf } from "../src/repeats.ts";
import type { SetCalibration, WrittenReport } from "../src/report.ts";

const metrics = {
  rows: 4,
  accuracy: 0.75,
  uar: 0.75,
  macro_f1: 0.7333,
  recall: { angry: 1, sad: null },
  precision: { angry: 1, sad: 0.5 },
  f1: { angry: 1, sad: 0.6667 },
  confusion: [
    [2, 0],
    [1, 1],
  ],
};
const calibration: SetCalibration = {
  ece: { before: 0.21, after: 0.08 },
  nll: { before: 0.9, after: 0.7 },
  bins: { before: [], after: [] },
};
const REPORT: WrittenReport = {
  classes: ["angry", "sad"],
  modalities: ["image", "audio"],
  match_by: "id",
  backend: "wasm",
  parameters: 10,
  epochs: 3,
  best_epoch: 2,
  train: metrics,
  val: metrics,
  test: null,
  conditions: { both: metrics, noise: metrics },
  calibration: { temperature: 1.5, val: calibration, test: null },
  repeats: null,
  data: {
    train: { file: "a&b<c>.h5", held_out: false, rows: 9, speakers: 3, classes: { angry: 9 } },
    val: { file: "a&b<c>.h5", held_out: true, rows: 4, speakers: 1, classes: { sad: 4 } },
    test: null,
  },
  inputs: {},
  settings: { lr: 0.001 },
  history: [],
  files: [],
};
const SVG =
  '<svg xmlns="http://www.w3.org/2000/svg"><defs><linearGradient id="g0"/></defs><path fill="url(#g0)"/></svg>';

it("a page needs no other file, and escapes what files are called", () => {
  const drawings = ["confusion_matrix", "conditions"].map((name) => ({
    name,
    caption: 'rows & "columns"',
    svg: SVG,
  }));
  const page = htmlReport(REPORT, drawings);
  expect(page).not.toMatch(/<script|<link|<img|@import|(?:src|href)="(?!#)/);
  expect(page).toContain("held out of a&amp;b&lt;c&gt;.h5");
  expect(page).toContain('<td class="number">0.2100</td><td class="number">0.0800</td>');
  // Two drawings with the same ids: each has its own.
  expect(page).toContain('id="conditions-g0"');
  expect(page).toContain("url(#conditions-g0)");
  expect(page).toContain('role="img" aria-label="rows &amp; &quot;columns&quot;"');
  expect(page).not.toContain("different people");
});

it("the page repeats that pairs made by label are of different people", () => {
  const byLabel = { ...REPORT, match_by: "label" };
  expect(htmlReport(byLabel, [])).toContain("of different people");
  expect(htmlReport({ ...byLabel, modalities: ["audio"] }, [])).not.toContain("different people");
});

it("the deviation of repeats is that of a sample", () => {
  expect(spreadOf([1, 2, 3, 4])).toEqual({
    mean: 2.5,
    deviation: Math.sqrt(5 / 3),
    values: [1, 2, 3, 4],
  });
});
