import { extensionOf } from "../files/listFiles.ts";

/** Files of joblib.dump and pickle.dump, by ending; those of a compression that is not read are refused by its name. */
const ENDINGS: readonly string[] = [
  ".joblib",
  ".pkl",
  ".pickle",
  ".gz",
  ".z",
  ".bz2",
  ".xz",
  ".lzma",
  ".lz4",
];

/** Whether a path is named as Python names a pickled model. */
export function isSklearnFile(path: string): boolean {
  return ENDINGS.includes(extensionOf(path));
}
