import { EMOTIONS } from "@emotion-service/core/labels";
import type { FeatureRow } from "@emotion-service/core/hdf5/preprocessedAudio";

/**
 * A few clips that show what a file holds: the first of each label, in label order; of a file with one label, the first
 * of so many equally long stretches. A clip whose cells are all equal (a silent one) is passed over for the next.
 * @param labels of every row, [N]
 * @param rows read only as far as needed
 * @returns at most `most` clips
 */
export function chooseClips(
  labels: readonly string[],
  rows: Iterable<FeatureRow>,
  most: number,
): FeatureRow[] {
  const ranks: ReadonlyMap<string, number> = new Map(EMOTIONS.map((label, rank) => [label, rank]));
  const alike = new Set(labels).size === 1;
  const places = labels.map((label, row) =>
    alike ? Math.floor((row * most) / labels.length) : (ranks.get(label) ?? EMOTIONS.length),
  );
  const wanted = new Set(places).size;
  const chosen = new Map<number, FeatureRow>();
  let index = 0;
  for (const row of rows) {
    const place = places[index] ?? 0;
    index += 1;
    if (chosen.has(place) || isFlat(row.features)) continue;
    chosen.set(place, { ...row, features: row.features.slice() }); // a copy: a view would keep its batch
    if (chosen.size === wanted) break;
  }
  const inOrder = [...chosen].sort(([a], [b]) => a - b).map(([, row]) => row);
  return inOrder.slice(0, most);
}

function isFlat(values: Float32Array): boolean {
  return values.every((value) => value === values[0]);
}
