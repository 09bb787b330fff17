/** What an input is made of. */
export const KINDS = ["image", "audio", "video"] as const;
export type Kind = (typeof KINDS)[number];

/** The files that are to be looked at: a video, or a picture, a sound, or both of one person. */
export type Selection = Partial<Readonly<Record<Kind, File>>>;

/** For names whose media type a browser does not know. */
const EXTENSIONS: Readonly<Record<Kind, RegExp>> = {
  image: /\.(jpe?g|png|webp|gif|bmp|tiff?|avif|heic)$/i,
  audio: /\.(wav|flac|mp3|ogg|oga|opus|m4a|aac|aiff?|amr|wma)$/i,
  video: /\.(mp4|m4v|mov|webm|mkv|avi|flv|mpe?g|wmv|3gp)$/i,
};

/** By its media type, else by its name; undefined for what is none of them. */
export function kindOf({ name, type }: Pick<File, "name" | "type">): Kind | undefined {
  return (
    KINDS.find((kind) => type.startsWith(`${kind}/`)) ??
    KINDS.find((kind) => EXTENSIONS[kind].test(name))
  );
}

/**
 * Adds files: a later one of a kind takes the earlier one's place, a video that of a picture and a sound, and the other way round.
 * @returns also what of it was left out, and why
 */
export function addFiles(
  selection: Selection,
  files: readonly File[],
): { readonly selection: Selection; readonly refused: readonly string[] } {
  let next = selection;
  const refused: string[] = [];
  for (const file of files) {
    const kind = kindOf(file);
    if (kind === undefined) refused.push(`${file.name}: is no picture, sound or video`);
    else if (file.size === 0) refused.push(`${file.name}: is empty`);
    else if (kind === "video") next = { video: file };
    else next = { ...without(next, "video"), [kind]: file };
  }
  return { selection: next, refused };
}

export function without(selection: Selection, kind: Kind): Selection {
  return Object.fromEntries(Object.entries(selection).filter(([each]) => each !== kind));
}

export function isEmpty(selection: Selection): boolean {
  return KINDS.every((kind) => selection[kind] === undefined);
}
