import type { Dataset, Group } from "@emotion-service/core/hdf5/file";
import { causeOf } from "@emotion-service/core/errors";

/** A value as JSON can hold it: NaN and infinities as text, whole numbers beyond 2^53 as text. */
export type Plain = string | number | boolean | null | readonly Plain[];

/** Items of a list that are shown. */
const SHOWN = 8;

/** Any value that h5wasm hands out; of a long list the first items and how many follow. */
export function plain(value: unknown): Plain {
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return plainNumber(value);
  if (typeof value === "bigint")
    return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  if (isIterable(value)) {
    const items = Array.from(value);
    const more = items.length - SHOWN;
    const shown = items.slice(0, SHOWN).map(plain);
    return more > 0 ? [...shown, `… ${more} more`] : shown;
  }
  return "(reference)";
}

/** 32-bit floats widened to 64 bits show digits that were never there: seven are kept. */
function plainNumber(value: number): number | string {
  if (!Number.isFinite(value)) return String(value);
  return Math.fround(value) === value ? Number(value.toPrecision(7)) : value;
}

/** Every attribute of a file, group or dataset; one that cannot be read says why. */
export function attributesOf(entity: Group | Dataset): Record<string, Plain> {
  const attributes: Record<string, Plain> = {};
  for (const name of Object.keys(entity.attrs))
    try {
      attributes[name] = single(plain(entity.attrs[name]?.value));
    } catch (error) {
      attributes[name] = `(cannot be read: ${causeOf(error)})`;
    }
  return attributes;
}

function single(value: Plain): Plain {
  const [first, ...more] = isList(value) ? value : [];
  return first === undefined || more.length > 0 ? value : first;
}

/** Arrays of any kind. */
export function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.iterator in value;
}

/** Array.isArray for a list that one must not change. */
export function isList(value: Plain): value is readonly Plain[] {
  return Array.isArray(value);
}
