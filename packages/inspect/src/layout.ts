import { SPLITS } from "@emotion-service/core/hdf5/embeddings";
import type { Entry } from "./entries.ts";
import type { Plain } from "./values.ts";

/** Attributes of the file's root. */
type Facts = Readonly<Record<string, Plain>>;

/** What a file is, in a line, when it has one of the pipeline's layouts; else undefined. */
export function layoutOf(entries: readonly Entry[], facts: Facts): string | undefined {
  const shapes = new Map(entries.map(({ path, shape }) => [path, shape ?? undefined]));
  return (
    pairsLayout(shapes, facts) ?? embeddingsLayout(shapes, facts) ?? audioLayout(shapes, facts)
  );
}

type Shapes = ReadonlyMap<string, readonly number[] | undefined>;

function pairsLayout(shapes: Shapes, facts: Facts): string | undefined {
  const [image, audio] = [shapes.get("image_embeddings"), shapes.get("audio_embeddings")];
  if (image === undefined || audio === undefined) return undefined;
  const matchBy = facts["match_by"];
  const how =
    matchBy === undefined
      ? ""
      : `, matched by ${text(matchBy)}${matchBy === "label" ? " (image and audio of different people)" : ""}`;
  return `pairs: ${image[0]} rows, image ${image[1]} values, audio ${audio[1]} values${how}`;
}

function embeddingsLayout(shapes: Shapes, facts: Facts): string | undefined {
  const groups = SPLITS.flatMap((split) => {
    const shape = shapes.get(`${split}/embeddings`);
    return shape === undefined ? [] : [`${split} ${shape.join(" × ")}`];
  });
  if (groups.length === 0) return undefined;
  const model = facts["model"] === undefined ? "" : `, of the model ${text(facts["model"])}`;
  return `embeddings (rows × values): ${groups.join(", ")}${model}`;
}

function audioLayout(shapes: Shapes, facts: Facts): string | undefined {
  const seconds = facts["fixed_duration"];
  const fixed = shapes.get("features/fixed") ?? shapes.get("features/fixed_u8");
  if (fixed !== undefined) {
    const length = seconds === undefined ? "" : ` of ${text(seconds)} s`;
    return `preprocessed audio: ${fixed[0]} clips${length}, each ${fixed[1]} mel bands × ${fixed[2]} frames`;
  }
  const ragged = shapes.get("features/ragged");
  const frames = shapes.get("features/frames");
  if (ragged !== undefined && frames !== undefined)
    return `preprocessed audio: ${frames[0]} clips of their own length, ${ragged[0]} frames of ${ragged[1]} mel bands together`;
  const flat = shapes.get("features/vlen_flat");
  return (
    flat &&
    `preprocessed audio: ${flat[0]} clips of their own length, as the Python service writes them`
  );
}

function text(value: Plain): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
