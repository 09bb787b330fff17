import { INK } from "@emotion-service/core/plot/theme";
import type { Box } from "./graphBoxes.ts";
import { type Cell, cellsOfLayer, linesOfSummary } from "./boxText.ts";
import { textWidth } from "./textWidth.ts";

/** Units. */
const ROW_HEIGHT = 21;
const LINE_HEIGHT = 17;
const PADDING = 9;
const COLUMN_GAP = 14;
const FONT_SIZE = 11;
const BASELINE = 14.5;
const GREY = "#555555";

/** A box and where it lies: its left upper corner. */
export interface DrawnBox {
  readonly box: Box;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export function boxSize(box: Box, isSummary: boolean): { width: number; height: number } {
  if (isSummary) {
    const lines = linesOfSummary(box);
    const widths = lines.map(({ text, weight }) => textWidth(text, FONT_SIZE, weight));
    return {
      width: Math.ceil(Math.max(...widths) + 2 * PADDING),
      height: lines.length * LINE_HEIGHT + PADDING,
    };
  }
  const columns = columnWidths(rowsOf(box));
  const gaps = COLUMN_GAP * (columns.filter((width) => width > 0).length - 1);
  const width = columns.reduce((sum, column) => sum + column, 0) + gaps + 2 * PADDING;
  return { width: Math.ceil(width), height: box.layers.length * ROW_HEIGHT };
}

function rowsOf({ layers }: Box): readonly (readonly Cell[])[] {
  return layers.map((layer, row) => cellsOfLayer(layer, layers[row - 1]));
}

/** Of each column its widest cell, 0 where all are empty. */
function columnWidths(rows: readonly (readonly Cell[])[]): number[] {
  return (rows[0] ?? []).map((_, column) =>
    Math.max(
      ...rows.map((row) => {
        const { text = "", weight = "regular" } = row[column] ?? {};
        return textWidth(text, FONT_SIZE, weight);
      }),
    ),
  );
}

export function drawBox(drawn: DrawnBox, isSummary: boolean): string {
  const { box, x, y, width, height } = drawn;
  const name = box.layers.map((layer) => layer.name).join("\n");
  const frame = `width="${number(width)}" height="${number(height)}"`;
  return [
    `<g transform="translate(${number(x)} ${number(y)})">`,
    `<title>${escaped(name)}</title>`,
    ...(isSummary ? summaryOf(drawn) : rowElements(drawn)),
    `<rect ${frame} rx="3" fill="none" stroke="#777777" stroke-width="1"/>`,
    "</g>",
  ].join("\n");
}

function summaryOf({ box, width, height }: DrawnBox): string[] {
  const colour = colourOf(box.layers.map(({ kind }) => kind).join(" "));
  const texts = linesOfSummary(box).map(({ text, weight }, line) =>
    textElement(text, {
      x: PADDING,
      y: BASELINE + 1 + line * LINE_HEIGHT,
      size: FONT_SIZE,
      weight,
      fill: line === 0 ? INK : GREY,
    }),
  );
  return [rectangle(0, width, height, colour), ...texts];
}

function rowElements({ box, width }: DrawnBox): string[] {
  const rows = rowsOf(box);
  const widths = columnWidths(rows);
  const starts = startsOf(widths);
  return rows.flatMap((row, line) => {
    const top = line * ROW_HEIGHT;
    const cells = row.map(({ text, weight, align }, column) =>
      textElement(text, {
        x: (starts[column] ?? 0) + (align === "end" ? (widths[column] ?? 0) : 0),
        y: top + BASELINE,
        size: FONT_SIZE,
        weight,
        align,
        fill: column === 0 ? INK : GREY,
      }),
    );
    const colour = colourOf(box.layers[line]?.kind ?? "");
    const rule =
      line === 0
        ? []
        : [`<line x1="0" y1="${top}" x2="${number(width)}" y2="${top}" stroke="white"/>`];
    return [rectangle(top, width, ROW_HEIGHT, colour), ...rule, ...cells.filter(Boolean)];
  });
}

/** Where columns begin. */
function startsOf(widths: readonly number[]): number[] {
  let at = PADDING;
  return widths.map((width) => {
    const start = at;
    if (width > 0) at += width + COLUMN_GAP;
    return start;
  });
}

function rectangle(y: number, width: number, height: number, fill: string): string {
  return `<rect y="${number(y)}" width="${number(width)}" height="${number(height)}" fill="${fill}"/>`;
}

/** Tints of Okabe and Ito's colours by what a layer does; the first that fits. */
const COLOURS: readonly (readonly [RegExp, string])[] = [
  [/^(input|output|InputLayer|Placeholder)$/, "#e6e6e6"],
  [/conv/i, "#cfe3f1"],
  [/dense|gemm|matmul|linear|lstm|gru|rnn|attention|treeensemble|svm/i, "#f7dccb"],
  [/norm|standardise|scaler/i, "#cfeae0"],
  [/pool|reducemean|meantime|^mean$/i, "#f3dcea"],
  [/relu|softmax|sigmoid|tanh|elu|clip|activation|swish|erf/i, "#fbefcf"],
];

function colourOf(kind: string): string {
  return COLOURS.find(([pattern]) => pattern.test(kind))?.[1] ?? "#f5f5f5";
}

interface TextStyle {
  readonly x: number;
  readonly y: number;
  readonly size: number;
  readonly fill: string;
  readonly weight?: "regular" | "bold";
  readonly align?: "start" | "end";
}

/** A line of text; nothing for an empty one. */
export function textElement(text: string, { x, y, size, fill, weight, align }: TextStyle): string {
  if (text === "") return "";
  const bold = weight === "bold" ? ' font-weight="bold"' : "";
  const anchor = align === "end" ? ' text-anchor="end"' : "";
  return `<text x="${number(x)}" y="${number(y)}" font-size="${size}" fill="${fill}"${bold}${anchor}>${escaped(text)}</text>`;
}

/** Units, to a hundredth. */
export function number(value: number): string {
  return String(Math.round(100 * value) / 100);
}

/** A text within XML; what XML may not hold becomes �. */
export function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll(FORBIDDEN, "\uFFFD");
}

/** Control characters and halves of pairs, which XML 1.0 forbids. */
const FORBIDDEN = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu;
