import { type Address, bytesAt, kernel } from "../audio/kernel.ts";
import type { RgbImage } from "../face/image.ts";

/** Shares are whole numbers of 1 / 2^22: a sum of them times 255 fits 31 bits (Pillow's `32 - 8 - 2`). */
const ONE = 1 << 22;
/** The kernel reads and writes so many bytes beyond a picture's end. */
const SLACK = 16;
/** Rows go into the kernel's memory, which never shrinks, by about so many bytes at a time. */
const BLOCK_BYTES = 1 << 20;

/**
 * Resizes as Pillow's `Image.resize((width, height), Image.BILINEAR)` does, bit for bit: a triangle filter, as wide as an
 * output pixel where the picture shrinks (so nothing aliases), first along the rows, then along the columns, each rounded
 * to 8 bits; an axis that keeps its size is left alone.
 * @returns [height, width, 3], in memory of its own
 */
export function resizeBilinear(image: RgbImage, width: number, height: number): RgbImage {
  const used: Address[] = [];
  const allocate = (bytes: number): Address => {
    const address = kernel.allocate(bytes);
    used.push(address);
    return address;
  };
  try {
    const size = width * image.height * 3;
    const wide = allocate(size + SLACK);
    if (image.width === width) bytesAt(wide, size).set(image.data);
    else resizeRows(image, width, wide, allocate);
    if (image.height === height) return { data: bytesAt(wide, size).slice(), width, height };
    const target = allocate(width * height * 3 + SLACK);
    const { taps, stride } = storeTaps(tapsBetween(image.height, height), allocate);
    kernel.resizeColumns(wide, target, width * 3, height, taps, stride);
    return { data: bytesAt(target, width * height * 3).slice(), width, height };
  } finally {
    for (const address of used) kernel.release(address);
  }
}

/** [height, image.width, 3] → [height, width, 3] at `target`. */
function resizeRows(
  image: RgbImage,
  width: number,
  target: Address,
  allocate: (bytes: number) => Address,
): void {
  const rowBytes = image.width * 3;
  const most = Math.min(image.height, Math.max(1, Math.floor(BLOCK_BYTES / rowBytes)));
  const block = allocate(most * rowBytes + SLACK);
  const { taps, stride } = storeTaps(tapsBetween(image.width, width), allocate);
  for (let row = 0; row < image.height; row += most) {
    const rows = Math.min(most, image.height - row);
    const bytes = image.data.subarray(row * rowBytes, (row + rows) * rowBytes);
    bytesAt(block, bytes.length).set(bytes);
    kernel.resizeRows(block, target + row * width * 3, rows, image.width, width, taps, stride);
  }
}

/** What each output pixel along an axis is made of. */
interface Taps {
  /** i32 [outputs, stride]: the first input pixel, how many there are, the share of each. */
  readonly table: Int32Array;
  readonly stride: number;
}

function storeTaps(
  { table, stride }: Taps,
  allocate: (bytes: number) => Address,
): { readonly taps: Address; readonly stride: number } {
  const taps = allocate(table.byteLength);
  bytesAt(taps, table.byteLength).set(new Uint8Array(table.buffer));
  return { taps, stride };
}

/** The triangle filter between two sizes. Its shares are nowhere negative and add up to 1, so no sum leaves 0 to 255. */
function tapsBetween(from: number, to: number): Taps {
  const scale = from / to;
  const support = Math.max(1, scale); // input pixels on each side of an output pixel's centre
  const most = Math.ceil(support) * 2 + 1;
  const stride = 2 + most;
  const table = new Int32Array(to * stride);
  const weights = new Float64Array(most);
  for (let x = 0; x < to; x += 1) {
    const centre = (x + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const count = Math.min(from, Math.trunc(centre + support + 0.5)) - first;
    let sum = 0;
    for (let tap = 0; tap < count; tap += 1) {
      const distance = (first + tap - centre + 0.5) * (1 / support);
      weights[tap] = Math.max(0, 1 - Math.abs(distance));
      sum += weights[tap] ?? 0;
    }
    table[x * stride] = first;
    table[x * stride + 1] = count;
    for (let tap = 0; tap < count; tap += 1)
      table[x * stride + 2 + tap] = Math.trunc(0.5 + ((weights[tap] ?? 0) / sum) * ONE);
  }
  return { table, stride };
}
