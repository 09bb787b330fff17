import { make } from "./dom.ts";

/** A table that can be scrolled sideways, by keyboard too. */
export function makeTable(
  caption: string,
  header: readonly string[],
  rows: readonly (readonly (string | Node)[])[],
): HTMLElement {
  const head = make("tr", {}, ...header.map((text) => make("th", { scope: "col" }, text)));
  const body = rows.map((row) => make("tr", {}, ...row.map((cell) => make("td", {}, cell))));
  const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
  return make(
    "div",
    { class: "table-scroll", role: "group", "aria-label": caption, tabindex: 0 },
    table,
  );
}
