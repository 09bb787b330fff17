/**
 * on: find the face, level its eyes, cut it out. off: the whole picture is an aligned face.
 * auto: a square picture of up to 128 pixels is an aligned face; so is one of up to 256 whose face fills most of it, or is
 * too close to be found; any other picture is searched.
 */
export const FACE_CROPS = ["auto", "on", "off"] as const;
export type FaceCrop = (typeof FACE_CROPS)[number];
