export type Cell = string | number;

export function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/**
 * A table that says what it is of, with headers that name what they head.
 * @param texts columns from the left that hold text; the others hold numbers, to the right
 */
export function htmlTable(
  caption: string,
  headers: readonly string[],
  rows: readonly (readonly Cell[])[],
  texts = 1,
): string {
  const aligned = (column: number): string => (column < texts ? "" : ' class="number"');
  const head = headers.map(
    (name, column) => `<th scope="col"${aligned(column)}>${escapeHtml(name)}</th>`,
  );
  const body = rows.map((row) => {
    const cells = row.map((cell, column) => {
      const text = escapeHtml(String(cell));
      return column === 0 ? `<th scope="row">${text}</th>` : `<td${aligned(column)}>${text}</td>`;
    });
    return `<tr>${cells.join("")}</tr>`;
  });
  return `<div class="scroll" role="group" aria-label="${escapeHtml(caption)}" tabindex="0"><table>
<caption>${escapeHtml(caption)}</caption>
<thead><tr>${head.join("")}</tr></thead>
<tbody>
${body.join("\n")}
</tbody>
</table></div>`;
}

/** Figures stand on white in the dark too: their ink is dark. What is wider than a phone is scrolled, by keyboard too. */
const STYLE = `
:root { color-scheme: light dark; --ink: #1c1c1c; --page: #ffffff; --line: #d0d0d0; --soft: #555555; --note: #fff4d6; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e8; --page: #16181b; --line: #41454b; --soft: #b0b4ba; --note: #40361a; }
}
@media print {
  :root { --ink: #000000; --page: #ffffff; --line: #b0b0b0; --soft: #444444; --note: #ffffff; }
  figure, tr { break-inside: avoid; }
  .scroll { overflow: visible; }
  h2 { break-after: avoid; }
}
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 24px; }
h1 { font-size: 1.6em; line-height: 1.25; }
h2 { font-size: 1.25em; margin-top: 2em; }
p { max-width: 72ch; }
.warning { background: var(--note); border: 1px solid var(--line); padding: 8px 12px; }
.scroll { overflow-x: auto; }
.scroll:focus-visible { outline: 3px solid var(--soft); outline-offset: 3px; }
.scroll:has(table) { margin: 1em 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 4px 0; }
th, td { padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
td { overflow-wrap: anywhere; }
td:not(.number) { min-width: 12ch; }
th { font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 400; }
.number { text-align: right; white-space: nowrap; }
.figures { display: flex; flex-wrap: wrap; gap: 24px; }
figure { margin: 0; max-width: 100%; }
figure svg { display: block; max-width: 100%; min-width: 28rem; height: auto; background: #ffffff; }
@media (max-width: 30rem) {
  main { padding: 16px; }
  table { font-size: 0.875em; }
}
figcaption { color: var(--soft); font-size: 0.9em; max-width: 60ch; }
`;

/** A page that needs no other file: it is read in light and in dark, on a phone, printed, and read aloud. `body` is HTML. */
export function htmlPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${body}
</main>
</body>
</html>
`;
}

/** A drawing with what it shows in words; `name` is its own within the page. */
export function htmlFigure(svg: string, name: string, caption: string): string {
  const label = name.replaceAll("_", " ");
  return `<figure><div class="scroll" role="group" aria-label="${label}" tabindex="0">${inlineSvg(svg, name, caption)}</div><figcaption>${escapeHtml(caption)}</figcaption></figure>`;
}

/** An SVG within the page: its ids are its own, and what it shows is said. */
function inlineSvg(svg: string, name: string, caption: string): string {
  return svg
    .replace(/<\?xml[^>]*>|<!DOCTYPE[^>]*>/g, "")
    .replaceAll(/\bid="([^"]+)"/g, `id="${name}-$1"`)
    .replaceAll(/url\(#([^)]+)\)/g, `url(#${name}-$1)`)
    .replaceAll(/href="#([^"]+)"/g, `href="#${name}-$1"`)
    .replaceAll(/ (?:role|aria-[a-z]+)="[^"]*"/g, "")
    .replace("<svg", `<svg role="img" aria-label="${escapeHtml(caption)}"`)
    .trim();
}
