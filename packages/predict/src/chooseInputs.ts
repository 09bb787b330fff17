import { join } from "node:path";
import { UserError } from "@emotion-service/core/errors";
import {
  AUDIO_EXTENSIONS,
  IMAGE_EXTENSIONS,
  VIDEO_EXTENSIONS,
  listFiles,
  requireFile,
} from "@emotion-service/core/files/listFiles";
import type { Input } from "@emotion-service/core/predict/scoreInput";
import { readManifest } from "./readManifest.ts";

/** What may name inputs. */
export interface InputFlags {
  readonly video: string | undefined;
  readonly image: string | undefined;
  readonly audio: string | undefined;
  readonly videosDir: string | undefined;
  readonly imagesDir: string | undefined;
  readonly audioDir: string | undefined;
  readonly manifest: string | undefined;
}

/** The flags that name many inputs: a folder, or a manifest. */
const BATCHES = [
  ["videosDir", "--videos_dir", "video", VIDEO_EXTENSIONS],
  ["imagesDir", "--images_dir", "image", IMAGE_EXTENSIONS],
  ["audioDir", "--audio_dir", "audio", AUDIO_EXTENSIONS],
  ["manifest", "--manifest", undefined, []],
] as const;

/** The flag that names many inputs, and its value; undefined where one input is named. */
export function batchOf(flags: InputFlags): string | undefined {
  const found = BATCHES.find(([name]) => flags[name] !== undefined);
  return found && `${found[1]} ${flags[found[0]] ?? ""}`;
}

/** @throws UserError E_FLAG unless one input, one folder or one manifest is named */
export function requireOneSource(flags: InputFlags): void {
  const { video, image, audio } = flags;
  const batches = BATCHES.filter(([name]) => flags[name] !== undefined).length;
  const files = [video, image, audio].filter((file) => file !== undefined).length;
  if (batches + Math.min(1, files) !== 1 || (video !== undefined && files > 1))
    throw new UserError(
      "E_FLAG",
      "one input is needed: --video, or --image and/or --audio, or one of --videos_dir, --images_dir, --audio_dir, --manifest",
      { hint: "a video brings its own faces and sound" },
    );
}

/** The inputs that the flags name: one, those of a folder in the order of their paths, or those of a manifest in its order. */
export function chooseInputs(flags: InputFlags): Input[] {
  const { video, image, audio } = flags;
  for (const [name, flag, kind, extensions] of BATCHES) {
    const path = flags[name];
    if (path === undefined) continue;
    if (kind === undefined) return readManifest(path);
    return listFiles(path, extensions, flag).map((file) => ({ [kind]: join(path, file) }));
  }
  for (const [flag, path] of Object.entries({ video, image, audio }))
    if (path !== undefined) requireFile(path, `--${flag}`);
  return [
    {
      ...(video === undefined ? {} : { video }),
      ...(image === undefined ? {} : { image }),
      ...(audio === undefined ? {} : { audio }),
    },
  ];
}
