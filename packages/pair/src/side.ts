import { UserError } from "@emotion-service/core/errors";
import { allFinite } from "@emotion-service/core/finite";
import { readEmbeddings } from "@emotion-service/core/hdf5/embeddings";
import type { EncoderInfo } from "@emotion-service/core/hdf5/encoder";
import type { Item, Leftover, Modality } from "./parts.ts";

/** The rows of one embeddings file, whatever groups (all, train, val, test) they stand in. */
export interface Side {
  readonly encoder: EncoderInfo;
  /** Sorted by path. */
  readonly items: readonly Item[];
  /** Rows that no other step sees: the embedding holds NaN or infinity, or the row is another one again. */
  readonly broken: readonly Leftover[];
}

/**
 * Reads every group of an embeddings file as one list of rows.
 * @throws UserError when the file is missing, is not an embeddings file, has no row, or mixes dimensions.
 */
export async function readSide(
  path: string,
  flag: string,
  modality: Modality,
  groupOf: (path: string) => string,
): Promise<Side> {
  const { encoder, splits } = await readEmbeddings(path, flag);
  refuseOtherModality(encoder, `${flag} ${path}`, modality);
  const items: Item[] = [];
  const broken: Leftover[] = [];
  for (const [name, { embeddings, labels, paths }] of splits) {
    const { data, columns } = embeddings;
    if (columns !== encoder.dim && paths.length > 0)
      throw new UserError(
        "E_LAYOUT",
        `${flag} ${path}: its groups must have embeddings of one size, '${name}' has ${columns} values, another ${encoder.dim}`,
        { hint: "write the whole file with one embed command" },
      );
    for (const [row, itemPath] of paths.entries()) {
      const vector = data.subarray(row * columns, (row + 1) * columns);
      const label = labels[row] ?? "unknown";
      const group = groupOf(itemPath).normalize("NFC");
      const item: Item = { modality, path: itemPath, label, group, vector };
      if (allFinite(vector)) items.push(item);
      else broken.push({ items: [item], cause: "holds NaN or infinity", keepable: false });
    }
  }
  if (items.length === 0)
    throw new UserError("E_INPUT_EMPTY", `${flag} ${path}: has no row that can be used`, {
      hint: "write it with embed, on a folder that has files",
    });
  items.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const again = repeatedRows(items);
  const repeats = new Set(again);
  return {
    encoder,
    items: repeats.size === 0 ? items : items.filter((item) => !repeats.has(item)),
    broken: [...broken, ...again.map(repeated)],
  };
}

function repeated(item: Item): Leftover {
  return { items: [item], cause: "the same row again", keepable: false };
}

/**
 * Rows that agree with an earlier one in path, label and every value; rows of one path that do not are two images or clips.
 * @param items sorted by path
 */
function repeatedRows(items: readonly Item[]): Item[] {
  const seen = new Set<string>(); // of the path at hand
  return items.filter(({ path, label, vector }, index) => {
    if (path !== items[index - 1]?.path) seen.clear();
    const bytes = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
    const row = `${label}\n${bytes.toString("latin1")}`;
    const isSeen = seen.has(row);
    seen.add(row);
    return isSeen;
  });
}

/** What the encoders that we know are for. */
const MODALITY_OF: Readonly<Record<string, Modality>> = {
  face: "image",
  face_cnn: "image",
  resnet18: "image",
  audio_stats: "audio",
  audio_cnn: "audio",
};

function refuseOtherModality({ model }: EncoderInfo, name: string, modality: Modality): void {
  const actual = MODALITY_OF[model];
  if (actual === undefined || actual === modality) return;
  throw new UserError(
    "E_FLAG",
    `${name}: must hold ${modality} embeddings, holds ${actual} ones (${model})`,
    {
      hint: "are --img_h5 and --aud_h5 the wrong way round?",
    },
  );
}
