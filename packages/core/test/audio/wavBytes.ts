/** How a WAV file is to be written; the defaults are mono 16-bit PCM at 16 kHz. */
export interface WavShape {
  readonly magic?: "RIFF" | "RIFX" | "RF64" | "BW64";
  readonly kind?: "pcm" | "float" | "alaw" | "mulaw" | "adpcm";
  readonly extensible?: boolean;
  readonly sampleRateHz?: number;
  /** Bits that count; the container is the next whole number of bytes. */
  readonly bits?: number;
  /** Chunks that stand before the format and the data, as [id, bytes]. */
  readonly before?: readonly (readonly [id: string, bytes: Uint8Array])[];
  /** What the data chunk claims to hold, bytes; by default what it holds. Of RF64 and BW64 it is the 'ds64' chunk's claim. */
  readonly claimedBytes?: number;
  /** Bytes that a sample of every channel takes, as the format says it; by default what it does. */
  readonly blockAlign?: number;
  /** Chunks behind the data, as [id, bytes]. */
  readonly after?: readonly (readonly [id: string, bytes: Uint8Array])[];
}

const FORMAT_TAGS = { pcm: 1, float: 3, alaw: 6, mulaw: 7, adpcm: 17 } as const;
const EXTENSIBLE_TAG = 0xfffe;
/** The rest of the GUID that names a format in an extensible header. */
const GUID_TAIL = Uint8Array.of(0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71);

/** Writes a WAV file of whole-number or float samples, `frames[i]` being one sample a channel. */
export function wavBytes(frames: readonly (readonly number[])[], shape: WavShape = {}): Uint8Array {
  const { magic = "RIFF", bits = 16, before = [], after = [] } = shape;
  const littleEndian = magic !== "RIFX";
  const isLong = magic === "RF64" || magic === "BW64";
  const data = concatenate(
    frames.flat().map((value) => sampleBytes(value, bits, shape.kind ?? "pcm", littleEndian)),
  );
  const claimed = shape.claimedBytes ?? data.length;
  const chunk = (id: string, bytes: Uint8Array, size = bytes.length): Uint8Array[] => [
    ascii(id),
    numberBytes(size, 4, littleEndian),
    bytes,
    new Uint8Array(bytes.length % 2),
  ];
  const body = concatenate([
    ascii("WAVE"),
    ...(isLong ? chunk("ds64", longSizes(claimed)) : []),
    ...before.flatMap(([id, bytes]) => chunk(id, bytes)),
    ...chunk("fmt ", formatBytes(frames[0]?.length ?? 1, shape, littleEndian)),
    ...chunk("data", data, isLong ? 0xffffffff : claimed),
    ...after.flatMap(([id, bytes]) => chunk(id, bytes)),
  ]);
  const size = isLong ? 0xffffffff : body.length;
  return concatenate([ascii(magic), numberBytes(size, 4, littleEndian), body]);
}

function formatBytes(channels: number, shape: WavShape, littleEndian: boolean): Uint8Array {
  const { kind = "pcm", extensible = false, sampleRateHz = 16_000, bits = 16 } = shape;
  const container = Math.ceil(bits / 8);
  const number = (value: number, bytes: number): Uint8Array =>
    numberBytes(value, bytes, littleEndian);
  const tag = FORMAT_TAGS[kind];
  return concatenate([
    number(extensible ? EXTENSIBLE_TAG : tag, 2),
    number(channels, 2),
    number(sampleRateHz, 4),
    number(sampleRateHz * channels * container, 4),
    number(shape.blockAlign ?? channels * container, 2),
    number(extensible ? container * 8 : bits, 2),
    ...(extensible
      ? [number(22, 2), number(bits, 2), number(0, 4), number(tag, 2), GUID_TAIL]
      : []),
  ]);
}

function sampleBytes(
  value: number,
  bits: number,
  kind: WavShape["kind"],
  littleEndian: boolean,
): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(bits / 8));
  const view = new DataView(bytes.buffer);
  if (kind === "float" && bits === 32) view.setFloat32(0, value, littleEndian);
  else if (kind === "float") view.setFloat64(0, value, littleEndian);
  else return numberBytes(bits <= 8 ? value + 128 : value, bytes.length, littleEndian); // 8 bits: offset binary
  return bytes;
}

function longSizes(dataBytes: number): Uint8Array {
  const bytes = new Uint8Array(28);
  new DataView(bytes.buffer).setBigUint64(8, BigInt(dataBytes), true);
  return bytes;
}

/** A whole number, two's complement, in so many bytes. */
function numberBytes(value: number, bytes: number, littleEndian: boolean): Uint8Array {
  let rest = BigInt.asUintN(8 * bytes, BigInt(value));
  const ascending = Array.from({ length: bytes }, () => {
    const byte = Number(rest & 0xffn);
    rest >>= 8n;
    return byte;
  });
  return Uint8Array.from(littleEndian ? ascending : ascending.reverse());
}

export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** A tag that music programs put before files: 10 bytes, and 200 as four times 7 bits say. */
export const ID3V2 = concatenate([
  ascii("ID3"),
  Uint8Array.of(4, 0, 0, 0, 0, 1, 72),
  new Uint8Array(200).fill(0xff),
]);

/** A tag that they put after them. */
export const ID3V1 = concatenate([ascii("TAG"), new Uint8Array(125).fill(0x41)]);
