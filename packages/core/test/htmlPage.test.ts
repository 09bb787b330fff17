import { expect, it } from "vitest";
import { expectAccessible, findChromium, launch } from "../../../test/chromium.ts";
import { escapeHtml, htmlFigure, htmlPage, htmlTable } from "../src/plot/htmlPage.ts";

const chromium = findChromium();

it("a table names what its headers head", () => {
  const table = htmlTable("<caption>", ["set", "rows"], [["train", 3]]);
  expect(table).toContain("<caption>&lt;caption&gt;</caption>");
  expect(table).toContain('<th scope="col">set</th><th scope="col" class="number">rows</th>');
  expect(table).toContain('<th scope="row">train</th><td class="number">3</td>');
});

it("escapes all that ends a text or an attribute", () => {
  expect(escapeHtml(`<a b="c">&`)).toBe("&lt;a b=&quot;c&quot;&gt;&amp;");
});

it.skipIf(chromium === undefined)("reads well in Chromium: light, dark, on a phone", async () => {
  const columns = Array.from({ length: 12 }, (_, i) => `column ${i}`);
  const rows = ["validation", "pairs matched by"].map((name) => [
    name,
    `${"long/".repeat(40)}file.h5`,
    ...columns.map((_, i) => i / 7),
  ]);
  const table = htmlTable("Wide", ["set", "file", ...columns], rows, 2);
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 300"><path d="M0 0h700"/></svg>';
  const browser = await launch(chromium ?? "");
  try {
    const page = await browser.newPage();
    await page.setContent(
      htmlPage("Report", `<h2>Rows</h2>${table}${htmlFigure(svg, "curves", "Curves.")}`),
    );
    await expectAccessible(page);
    await page.setViewportSize({ width: 360, height: 740 });
    // A row's name is not broken within, however narrow the page is.
    const lines = await page.evaluate(
      "[...document.querySelectorAll('tbody th')].map((head) => head.getClientRects()[0].width > 60)",
    );
    expect(lines).toEqual([true, true]);
  } finally {
    await browser.close();
  }
});
