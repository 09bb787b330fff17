import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { decisionFunction } from "../../packages/core/src/anomaly/forest.ts";
import { sklearnForestOfBytes } from "../../packages/core/src/anomaly/sklearnForest.ts";
import { UserError } from "../../packages/core/src/errors.ts";
import { pythonFusionOf } from "../../packages/core/src/interop/pythonFusion.ts";
import { isTorchFile, readTorchBytes } from "../../packages/core/src/interop/torchFile.ts";
import type { Corpus } from "./mutate.ts";

const FIXTURES = join(import.meta.dirname, "../../packages/core/test/fixtures");

/** The fixtures that are files of joblib, pickle and torch.save. */
export function oldFiles(): Corpus {
  const names = ["sklearn", "fusion", "torch"].flatMap((folder) =>
    readdirSync(join(FIXTURES, folder))
      .filter((name) => /\.(joblib|pkl|gz|pth|pt|pickle)$/.test(name))
      .map((name) => `${folder}/${name}`),
  );
  return names.map((name) => withoutCheckSums(readFileSync(join(FIXTURES, name))));
}

/** A zip archive whose entries state no check sum, so that a change in them reaches the reader behind the zip. */
function withoutCheckSums(bytes: Buffer): Buffer {
  if (bytes.readUInt32LE(0) !== 0x04034b50) return bytes;
  const central = Buffer.from("PK\u0001\u0002", "latin1");
  for (let at = bytes.indexOf(central); at >= 0; at = bytes.indexOf(central, at + 1))
    bytes.writeUInt32LE(0, at + 16);
  return bytes;
}

/** What the readers made of an input: "read", or the code of the UserError. Any other error is thrown on. */
export async function readOld(bytes: Buffer): Promise<string> {
  try {
    if (isZip(bytes) || isLegacy(bytes)) await readFusion(bytes);
    else readForest(bytes);
    return "read";
  } catch (error) {
    if (error instanceof UserError) return error.code;
    throw error;
  }
}

function isZip(bytes: Buffer): boolean {
  return bytes.subarray(0, 2).equals(Buffer.from("PK"));
}

/** The old format of torch.save begins with a pickle of its magic number. */
function isLegacy(bytes: Buffer): boolean {
  return bytes.subarray(0, 64).includes(Buffer.from("6cfc9c46f9206aa85019", "hex"));
}

async function readFusion(bytes: Buffer): Promise<void> {
  if (isTorchFile(bytes, "a.pth")) pythonFusionOf(await readTorchBytes(bytes, "a.pth"), "a.pth");
}

/** Reads a forest and scores a row with it, which walks through its trees. */
function readForest(bytes: Buffer): void {
  const { forest } = sklearnForestOfBytes(bytes, "a.joblib");
  const columns = Math.min(forest.nFeatures, 1000);
  if (columns === forest.nFeatures)
    decisionFunction(forest, { data: new Float32Array(columns), rows: 1, columns });
}
