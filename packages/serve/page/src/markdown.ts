/** What the model cards are written with: a part of Markdown. */
export type Block =
  | { readonly kind: "heading"; readonly level: number; readonly text: string }
  | { readonly kind: "paragraph"; readonly text: string }
  | { readonly kind: "list"; readonly items: readonly string[] }
  | { readonly kind: "code"; readonly text: string }
  | {
      readonly kind: "table";
      readonly header: readonly string[];
      readonly rows: readonly (readonly string[])[];
    };

/** Headings, paragraphs, lists of one level, indented code and tables; any other line is text. */
export function parseBlocks(markdown: string): Block[] {
  return markdown
    .replaceAll("\r\n", "\n")
    .split(/\n\s*\n|\n(?=#{1,6} )/)
    .filter((chunk) => chunk.trim() !== "")
    .flatMap(splitHeading)
    .map(parseBlock);
}

/** A heading need not be followed by an empty line. */
function splitHeading(chunk: string): string[] {
  const [first = "", ...rest] = chunk.replace(/^\n+/, "").trimEnd().split("\n");
  const isSplit = first.startsWith("#") && rest.length > 0;
  return isSplit ? [first, rest.join("\n")] : [[first, ...rest].join("\n")];
}

function parseBlock(chunk: string): Block {
  const heading = /^(#{1,6}) (.*)$/.exec(chunk);
  if (heading !== null) return { kind: "heading", level: heading[1]!.length, text: heading[2]! };
  const lines = chunk.split("\n");
  if (lines.every((line) => line.startsWith("    ")))
    return { kind: "code", text: lines.map((line) => line.slice(4)).join("\n") };
  if (lines.every((line) => line.trimStart().startsWith("|"))) return parseTable(lines);
  if (/^[-*] /.test(chunk)) {
    const items = chunk.split(/\n(?=[-*] )/).map((item) => joined(item.slice(2)));
    return { kind: "list", items };
  }
  return { kind: "paragraph", text: joined(chunk) };
}

function parseTable([header = "", , ...rows]: readonly string[]): Block {
  const cellsOf = (line: string): string[] =>
    line
      .trim()
      .replaceAll(/^\||\|$/g, "")
      .split("|")
      .map((cell) => cell.trim());
  return { kind: "table", header: cellsOf(header), rows: rows.map(cellsOf) };
}

function joined(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}

/** A piece of a line. */
export interface Span {
  readonly kind: "text" | "strong" | "code" | "link";
  readonly text: string;
  readonly href?: string;
}

const SPANS = /\*\*(?<strong>.+?)\*\*|`(?<code>[^`]+)`|\[(?<label>[^\]]+)\]\((?<href>[^)\s]+)\)/g;

/** Bold, code and links within a line. */
export function parseSpans(line: string): Span[] {
  const spans: Span[] = [];
  let end = 0;
  for (const match of line.matchAll(SPANS)) {
    if (match.index > end) spans.push({ kind: "text", text: line.slice(end, match.index) });
    spans.push(spanOf(match.groups ?? {}));
    end = match.index + match[0].length;
  }
  if (end < line.length) spans.push({ kind: "text", text: line.slice(end) });
  return spans;
}

function spanOf({ strong, code, label, href }: Record<string, string | undefined>): Span {
  if (strong !== undefined) return { kind: "strong", text: strong };
  if (code !== undefined) return { kind: "code", text: code };
  return { kind: "link", text: label ?? "", href: href ?? "" };
}
