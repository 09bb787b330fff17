import { damaged, printable } from "./failures.ts";

/** Bytes of the longest integer and characters of the longest line (a global's module, a decimal number) that are read. */
const LONGEST_NUMBER = 1024;

/** The bytes of a pickle, read one after another; every length is checked against what is left before it is used. */
export interface PickleInput {
  position(): number;
  /** Bytes that are left. */
  left(): number;
  /** The next bytes as unsigned little-endian number. */
  unsigned(bytes: 1 | 2 | 4 | 8): number;
  int32(): number;
  /** 8 bytes, big-endian, as pickles have them. */
  float64(): number;
  /** A view of the next bytes. */
  take(length: number): Uint8Array;
  /** A view of all the bytes that are left, which stay to be read. */
  rest(): Uint8Array;
  /** `length` bytes of UTF-8. */
  text(length: number): string;
  /** Text up to a line feed, which is read too. */
  line(): string;
  /** `length` bytes of a signed little-endian integer; a bigint where a number would lose digits. */
  integer(length: number): number | bigint;
}

const NEWLINE = 10;

/** @throws UserError E_INPUT_BROKEN, from every method, where the bytes end too early or are not what they should be */
export function createPickleInput(source: Uint8Array, start: number, name: string): PickleInput {
  // A Buffer's slice would be no copy.
  const bytes = new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let position = start;
  const advance = (length: number): number => {
    const from = position;
    if (length > bytes.length - from)
      throw damaged(name, `${length} bytes wanted at byte ${from}, ${bytes.length - from} left`);
    position += length;
    return from;
  };
  const take = (length: number): Uint8Array => {
    const from = advance(length);
    return bytes.subarray(from, from + length);
  };
  const text = (length: number): string => {
    try {
      return utf8.decode(take(length));
    } catch (error) {
      if (error instanceof TypeError) throw damaged(name, "a text that is not UTF-8", error);
      throw error;
    }
  };
  const line = (): string => {
    const end = bytes.subarray(position, position + LONGEST_NUMBER).indexOf(NEWLINE);
    if (end === -1) throw damaged(name, `a line without end at byte ${position}`);
    const content = text(end);
    position += 1;
    return content;
  };
  const integer = (length: number): number | bigint => {
    if (length > LONGEST_NUMBER) throw damaged(name, `an integer of ${length} bytes`);
    if (length === 0) return 0;
    const hex = Buffer.from(take(length)).reverse().toString("hex");
    return shortest(BigInt.asIntN(8 * length, BigInt(`0x${hex}`)));
  };
  return {
    position: () => position,
    left: () => bytes.length - position,
    unsigned: (size) => {
      const at = advance(size);
      if (size === 1) return view.getUint8(at);
      if (size === 2) return view.getUint16(at, true);
      if (size === 4) return view.getUint32(at, true);
      return Number(view.getBigUint64(at, true));
    },
    int32: () => view.getInt32(advance(4), true),
    float64: () => view.getFloat64(advance(8)),
    take,
    rest: () => bytes.subarray(position),
    text,
    line,
    integer,
  };
}

/** A number where it is exact, else the bigint. */
function shortest(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/**
 * The integer that a line of decimal digits states.
 * @throws UserError E_INPUT_BROKEN when it states none
 */
export function decimalInteger(line: string, name: string): number | bigint {
  if (!/^-?\d+$/.test(line)) throw damaged(name, `"${printable(line)}" is no integer`);
  return shortest(BigInt(line));
}
