import { allocateFloats, floatsAt, kernel } from "./kernel.ts";

/** librosa.power_to_db's floors: of the power, and below the loudest cell, dB. */
const AMIN = 1e-10;
export const TOP_DB = 80;

/** Values that are converted in one piece. */
const PIECE = 1 << 13;
const room = allocateFloats(PIECE);

/**
 * librosa.power_to_db(ref=np.max, amin=1e-10, top_db=80), in place.
 * @param power any shape; becomes dB in [-80, 0]
 * @returns the loudest power before
 */
export function powerToDb(power: Float32Array): number {
  let loudest = 0;
  for (const piece of piecesOf(power)) {
    floatsAt(room, piece.length).set(piece);
    loudest = Math.max(loudest, kernel.maximum(room, piece.length));
  }
  const reference = kernel.decibels(Math.max(AMIN, loudest));
  for (const piece of piecesOf(power)) {
    floatsAt(room, piece.length).set(piece);
    kernel.toDecibels(room, room, piece.length, AMIN, reference, -TOP_DB);
    piece.set(floatsAt(room, piece.length));
  }
  return loudest;
}

function* piecesOf(values: Float32Array): Generator<Float32Array> {
  for (let at = 0; at < values.length; at += PIECE) yield values.subarray(at, at + PIECE);
}
