import type { Dataset } from "@emotion-service/core/hdf5/file";

/** How HDF5 stores one value: h5wasm's description of it. */
export type H5Type = Pick<
  Dataset["metadata"],
  | "type"
  | "size"
  | "signed"
  | "littleEndian"
  | "vlen"
  | "enum_type"
  | "compound_type"
  | "array_type"
  | "vlen_type"
> & { readonly shape?: readonly number[] | null };

/** HDF5's type classes (H5T_class_t). */
const INTEGER = 0;
const FLOAT = 1;
const TIME = 2;
const STRING = 3;
const BITFIELD = 4;
const OPAQUE = 5;
const COMPOUND = 6;
const REFERENCE = 7;
const ENUM = 8;
const VLEN = 9;
const ARRAY = 10;

/** The type under the name that numpy (h5py) gives it: "float32", "int64", "bool", "str", "S20", ">f4" as "float32 (big-endian)". */
export function dtypeName(type: H5Type): string {
  const bits = 8 * type.size;
  const order = type.littleEndian || type.size === 1 ? "" : " (big-endian)";
  switch (type.type) {
    case INTEGER:
      return `${type.signed ? "int" : "uint"}${bits}${order}`;
    case FLOAT:
      return `float${bits}${order}`;
    case STRING:
      return type.vlen ? "str" : `S${type.size}`;
    case ENUM:
      return enumName(type, bits);
    case COMPOUND: {
      const members = type.compound_type?.members ?? [];
      return `{${members.map((member) => `${member.name}: ${dtypeName(member)}`).join(", ")}}`;
    }
    case ARRAY: {
      const item = type.array_type;
      return item === undefined ? "array" : `${dtypeName(item)}[${item.shape?.join(", ") ?? ""}]`;
    }
    case VLEN:
      return `list of ${type.vlen_type === undefined ? "values" : dtypeName(type.vlen_type)}`;
    default:
      return `${OTHER_NAMES[type.type] ?? `type ${type.type}`} (${type.size} bytes)`;
  }
}

const OTHER_NAMES: Readonly<Record<number, string>> = {
  [TIME]: "time",
  [BITFIELD]: "bitfield",
  [OPAQUE]: "opaque",
  [REFERENCE]: "reference",
};

function enumName({ enum_type, signed }: H5Type, bits: number): string {
  const members = enum_type?.members ?? {};
  const names = Object.keys(members);
  if (names.length === 2 && members["FALSE"] === 0 && members["TRUE"] === 1) return "bool";
  return `enum of ${signed ? "int" : "uint"}${bits} {${names.join(", ")}}`;
}

/** Numbers that one can reckon with, read in slices. */
export function isNumeric({ type, size }: H5Type): boolean {
  return type === INTEGER || (type === FLOAT && size >= 4);
}

/** Types of which h5wasm reads a part; the others are read whole or not at all. */
export function canBeSliced({ type }: H5Type): boolean {
  return type === INTEGER || type === FLOAT || type === STRING || type === ENUM || type === VLEN;
}

/** Filters by the number that The HDF Group registered; a file names them otherwise, or not at all. */
const FILTERS: Readonly<Record<number, string>> = {
  1: "gzip",
  2: "shuffle",
  3: "fletcher32",
  4: "szip",
  5: "nbit",
  6: "scaleoffset",
  32000: "lzf",
  32001: "blosc",
  32004: "lz4",
  32008: "bitshuffle",
  32013: "zfp",
  32015: "zstd",
  32026: "blosc2",
};

/** Filters that every HDF5 library has. */
export const BUILT_IN: ReadonlySet<string> = new Set(
  [1, 2, 3, 4, 5, 6].map((id) => FILTERS[id] ?? ""),
);

/** "gzip", "lz4", …: the steps by which chunks are stored, in order. */
export function filterNames(dataset: Dataset): string[] {
  return dataset.filters.map(({ id, name }) => FILTERS[id] ?? (name || `filter ${id}`));
}
