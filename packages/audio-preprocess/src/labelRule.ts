import { UserError } from "@emotion-service/core/errors";
import { readCsv } from "@emotion-service/core/files/manifest";
import {
  type FileFacts,
  type LabelRule,
  UNKNOWN_LABEL,
  canonicalEmotion,
  factsOf,
} from "@emotion-service/core/labels";

const RULES: readonly LabelRule[] = ["auto", "cremad", "ravdess", "folder"];

/**
 * The function that tells a file's label and speaker by `--labels`: a rule's name, or csv:FILE with the columns
 * path (relative to the audio folder) and label.
 * @throws UserError when the rule is not known, or the CSV lacks a column
 */
export function createLabelReader(
  rule: string,
  paths: readonly string[],
): (path: string) => FileFacts {
  const named = RULES.find((name) => name === rule);
  if (named !== undefined) return (path) => factsOf(path, named);
  if (!rule.startsWith("csv:"))
    throw new UserError("E_FLAG", `--labels ${rule}: must be ${RULES.join(", ")} or csv:FILE`);
  const file = rule.slice("csv:".length);
  const labels = readLabelCsv(file);
  const labelOf = (path: string): string | undefined => labels.get(path.normalize());
  if (!paths.some((path) => labelOf(path) !== undefined))
    throw new UserError(
      "E_LAYOUT",
      `--labels ${file}: none of its ${labels.size} paths, such as '${labels.keys().next().value ?? ""}', is one of the ${paths.length} audio files, such as '${paths[0] ?? ""}'`,
      { hint: "its paths must be relative to --audio_dir, with / between folders" },
    );
  return (path) => ({ label: labelOf(path) ?? UNKNOWN_LABEL, speaker: factsOf(path).speaker });
}

function readLabelCsv(file: string): Map<string, string> {
  const rows = readCsv(file, "--labels", ["path", "label"]);
  return new Map(
    rows.map((row) => [
      (row["path"] ?? "").normalize(),
      canonicalEmotion(row["label"] ?? "") ?? UNKNOWN_LABEL,
    ]),
  );
}
