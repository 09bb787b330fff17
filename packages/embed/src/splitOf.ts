import type { Split } from "@emotion-service/core/hdf5/embeddings";

const SPLIT_FOLDERS: Readonly<Record<string, Split>> = {
  train: "train",
  training: "train",
  val: "val",
  valid: "val",
  validation: "val",
  test: "test",
};

/**
 * The group of a row: where every path starts with a folder train, val or test, that; else "all" for all of them.
 */
export function splitOf(paths: readonly string[]): (path: string) => Split {
  const folderSplit = (path: string): Split | undefined =>
    path.includes("/") ? SPLIT_FOLDERS[path.slice(0, path.indexOf("/")).toLowerCase()] : undefined;
  if (paths.every((path) => folderSplit(path) !== undefined))
    return (path) => folderSplit(path) ?? "all";
  return () => "all";
}
