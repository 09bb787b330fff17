import { randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { UserError, causeOf } from "../errors.ts";
import { statOf } from "./listFiles.ts";
import { MACHINE, isRunning } from "./processes.ts";

/**
 * The outputs of one run. Each is written under a temporary name beside its target; `commit` syncs and renames
 * them all, `discard` removes them. So a target is whole or it is not there.
 */
export interface Outputs {
  /** A temporary path to write for `target`: a file, or a folder that the caller makes there. */
  stage(target: string, kind?: "file" | "folder"): string;
  /** Syncs every staged output and gives it its name, replacing what stood there. */
  commit(): void;
  /** Removes what was staged and not committed. Safe to call at any time. */
  discard(): void;
}

export function createOutputs(): Outputs {
  const staged: { temporary: string; target: string; kind: "file" | "folder" }[] = [];
  const madeFolders: { outermost: string; innermost: string }[] = [];
  const stage = (target: string, kind: "file" | "folder" = "file"): string => {
    const absolute = resolve(target);
    if (staged.some((output) => output.target === absolute))
      throw new UserError("E_FLAG", `${target}: must be one output, is the name of two`, {
        hint: "name two files",
      });
    const innermost = dirname(absolute);
    const outermost = makeFolder(innermost, target);
    if (outermost !== undefined) madeFolders.push({ outermost, innermost });
    removeOrphans(absolute);
    const temporary = temporaryName(absolute);
    refuseUnwritable(temporary, target);
    refuseOtherKind(absolute, kind);
    staged.push({ temporary, target: absolute, kind });
    return temporary;
  };
  const commit = (): void => {
    for (const { temporary, target } of staged) syncAll(temporary, target);
    for (const { target, kind } of staged) refuseOtherKind(target, kind);
    for (const output of staged) giveName(output.temporary, output.target);
    for (const folder of new Set(staged.map(({ target }) => dirname(target)))) sync(folder);
    staged.length = 0;
    madeFolders.length = 0;
  };
  const discard = (): void => {
    for (const { temporary } of staged) rmSync(temporary, { recursive: true, force: true });
    for (const { outermost, innermost } of madeFolders.reverse())
      removeEmptyFolders(innermost, outermost);
    staged.length = 0;
    madeFolders.length = 0;
  };
  return { stage, commit, discard };
}

/**
 * Refuses to write over what is being read.
 * @throws UserError E_FLAG naming the output
 */
export function refuseReplacing(outputs: readonly string[], inputs: readonly string[]): void {
  const read = new Set(inputs.map((input) => resolve(input)));
  for (const output of outputs)
    if (read.has(resolve(output)))
      throw new UserError("E_FLAG", `${output}: would replace an input of that name`, {
        hint: "give the output another name",
      });
}

/** Runs `work` with outputs that are committed when it returns and discarded when it throws. */
export async function withOutputs<T>(work: (outputs: Outputs) => Promise<T>): Promise<T> {
  const outputs = createOutputs();
  try {
    const result = await work(outputs);
    outputs.commit();
    return result;
  } finally {
    outputs.discard();
  }
}

/** Makes a folder with its parents; returns the outermost one that had to be made. */
function makeFolder(folder: string, target: string): string | undefined {
  try {
    return mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw outputError(target, error);
  }
}

/** Undoes makeFolder as far as nobody else has put anything there. */
function removeEmptyFolders(innermost: string, outermost: string): void {
  try {
    for (let folder = innermost; folder.length >= outermost.length; folder = dirname(folder))
      rmdirSync(folder);
  } catch {
    // A folder that is not empty, or gone, stays as it is.
  }
}

function refuseUnwritable(temporary: string, target: string): void {
  try {
    closeSync(openSync(temporary, "wx"));
    rmSync(temporary);
  } catch (error) {
    throw outputError(target, error);
  }
}

/** Temporary names tell the machine and the process, so that what a killed run left can be known. */
function temporaryName(target: string): string {
  const unique = `${MACHINE}-${process.pid}-${randomBytes(3).toString("hex")}`;
  return join(dirname(target), `.${basename(target)}.tmp-${unique}`);
}

/** A folder that stands aside for the new one has the new one's temporary name and this. */
const ASIDE = "-old";

/**
 * Removes what runs that were killed (kill -9, a power cut) left of a target: their processes are gone. A folder that one
 * had just put aside, the new one not yet in its place, comes back.
 */
function removeOrphans(target: string): void {
  const start = `.${basename(target)}.tmp-${MACHINE}-`;
  for (const name of readdirSync(dirname(target))) {
    const [, owner] = name.startsWith(start)
      ? (/^(\d+)-[0-9a-f]{6}/.exec(name.slice(start.length)) ?? [])
      : [];
    if (owner === undefined || isRunning(Number(owner))) continue;
    const orphan = join(dirname(target), name);
    if (name.endsWith(ASIDE) && statOf(target) === undefined) renameSync(orphan, target);
    else rmSync(orphan, { recursive: true, force: true });
  }
}

/** The target of a temporary name that `stage` gave; any other path as it is. */
function targetOf(temporary: string): string {
  const [, name] = /^\.(.+)\.tmp-[0-9a-f]{6}-\d+-[0-9a-f]{6}$/.exec(basename(temporary)) ?? [];
  return name === undefined ? temporary : join(dirname(temporary), name);
}

/** The error of an output that cannot be written; `path` is its target or its temporary name. */
export function outputError(path: string, cause: unknown): UserError {
  const target = targetOf(path);
  return new UserError("E_OUTPUT", `${target}: cannot be written (${causeOf(cause)})`, {
    hint: "name a place where you may create files, with room on its disk",
    cause,
  });
}

/** Flushes a file, or a folder and what is in it, to the disk: some disks say only now that they are full. */
function syncAll(path: string, target: string): void {
  if (statSync(path).isDirectory())
    for (const name of readdirSync(path)) syncAll(join(path, name), target);
  try {
    sync(path);
  } catch (error) {
    throw outputError(target, error);
  }
}

function sync(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** A folder must not take the place of a file, nor a file that of a folder: it is somebody's own. */
function refuseOtherKind(target: string, wanted: "file" | "folder"): void {
  const old = statSync(target, { throwIfNoEntry: false });
  if (old === undefined) return;
  const kind = old.isDirectory() ? "folder" : "file";
  if (kind !== wanted) throw outputError(target, new Error(`a ${kind} of that name is in the way`));
}

/** rename(2); a folder cannot replace a full one in one step, so the old one steps aside first. */
function giveName(temporary: string, target: string): void {
  try {
    const old = statSync(target, { throwIfNoEntry: false });
    if (old?.isDirectory() !== true) {
      renameSync(temporary, target);
      return;
    }
    const aside = temporary + ASIDE;
    renameSync(target, aside);
    renameSync(temporary, target);
    rmSync(aside, { recursive: true, force: true });
  } catch (error) {
    throw outputError(target, error);
  }
}
