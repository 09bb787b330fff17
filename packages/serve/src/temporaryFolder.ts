import { existsSync, mkdtempSync, readdirSync, lstatSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "@emotion-service/core/errors";
import { isRunning, startOf } from "@emotion-service/core/files/processes";

const PREFIX = "emotion-service-serve";
/** PREFIX-process-itsStart-random */
const NAME = /^emotion-service-serve-(\d+)-(\d*)-/;

/**
 * Makes this process's private folder (mode 700) for what clients send, and removes those that processes left which are gone: none of
 * them could do so itself after kill -9.
 * @throws UserError E_UNAVAILABLE when there is no folder `parent`
 */
export function openTemporaryFolder(parent = tmpdir()): { readonly path: string; remove(): void } {
  if (!existsSync(parent))
    throw new UserError("E_UNAVAILABLE", `TMPDIR ${parent}: must be an existing folder`);
  for (const name of readdirSync(parent))
    if (isLeftBehind(parent, name)) rmSync(join(parent, name), { recursive: true, force: true });
  const path = mkdtempSync(join(parent, `${PREFIX}-${process.pid}-${startOf(process.pid)}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

function isLeftBehind(parent: string, name: string): boolean {
  const [, id, start] = NAME.exec(name) ?? [];
  if (id === undefined) return false;
  const stats = lstatSync(join(parent, name), { throwIfNoEntry: false });
  if (stats?.isDirectory() !== true || stats.uid !== process.getuid?.()) return false;
  return !isRunning(Number(id)) || startOf(Number(id)) !== start;
}

/** A folder in it for one request. */
export async function requestFolder(
  parent: string,
): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(parent, "r-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
