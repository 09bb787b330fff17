import { copyFileSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Copies the first `most` pictures of a folder and those below it. */
export function copyPictures(source, target, most) {
  mkdirSync(target);
  const names = readdirSync(source, { recursive: true })
    .filter((name) => /\.(jpe?g|png)$/i.test(name))
    .sort((a, b) => (a < b ? -1 : 1))
    .slice(0, most);
  for (const [i, name] of names.entries()) {
    const copy = `${String(i).padStart(6, "0")}_${name.replaceAll(/[/\\]/g, "_")}`;
    copyFileSync(join(source, name), join(target, copy));
  }
  return { folder: target, count: names.length };
}
