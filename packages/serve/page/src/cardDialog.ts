import { request } from "./api.ts";
import { byId, make, makeButton } from "./dom.ts";
import { type Block, parseBlocks, parseSpans } from "./markdown.ts";
import { makeTable } from "./table.ts";

/** Shows a model card over the page; focus goes back to where it was when it is closed. */
export async function showCard(name: string, url: string): Promise<void> {
  const dialog = byId("card-dialog") as HTMLDialogElement;
  const body = make("div", { class: "card-body" }, make("p", {}, "Loading …"));
  const title = make("h2", { id: "card-title" }, `Model card: ${name}`);
  const close = makeButton("Close", () => dialog.close(), { class: "quiet" });
  dialog.replaceChildren(make("div", { class: "dialog-head" }, title, close), body);
  dialog.showModal();
  try {
    const blocks = parseBlocks(await (await request(url)).text());
    const isTitle = blocks[0]?.kind === "heading" && blocks[0].level === 1;
    body.replaceChildren(...(isTitle ? blocks.slice(1) : blocks).map(render));
  } catch (error) {
    body.replaceChildren(make("p", {}, `The card cannot be had: ${String(error)}`));
  }
}

function render(block: Block): HTMLElement {
  if (block.kind === "heading")
    return make(block.level <= 2 ? "h3" : "h4", {}, ...inline(block.text));
  if (block.kind === "paragraph") return make("p", {}, ...inline(block.text));
  if (block.kind === "list")
    return make("ul", {}, ...block.items.map((item) => make("li", {}, ...inline(item))));
  if (block.kind === "code") return make("pre", { tabindex: 0 }, make("code", {}, block.text));
  const rows = block.rows.map((row) => row.map((cell) => make("span", {}, ...inline(cell))));
  return makeTable("Table of the model card", block.header.map(plain), rows);
}

function plain(line: string): string {
  return parseSpans(line)
    .map(({ text }) => text)
    .join("");
}

/** Links of a card lead to files beside it, which this server does not have: their words alone are shown. */
function inline(line: string): (Node | string)[] {
  return parseSpans(line).map(({ kind, text, href = "" }) => {
    if (kind === "strong") return make("strong", {}, text);
    if (kind === "code") return make("code", {}, text);
    const isLink = kind === "link" && /^https?:/.test(href);
    return isLink ? make("a", { href, rel: "noreferrer" }, text) : text;
  });
}
