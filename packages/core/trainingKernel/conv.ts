import { COLUMNS, ROWS, leftSize, multiplyPanel, packRight, rightSize } from "./gemm";

/**
 * Convolution of pictures [height, width, channels] as products of matrices: a row of the left factor is the patch of one
 * output pixel, the right factor is the kernel [kernel height · kernel width · channels, filters]. Patches are laid out
 * for the product as they are read, a block of pixels at a time.
 */

/** Output pixels whose patches are laid out at a time. */
const PIXELS: i32 = 128;

/** Where the patches lie in a picture: i32 [13], set by the caller. */
// @ts-ignore: decorator
@unmanaged
class Geometry {
  height: i32;
  width: i32;
  channels: i32;
  kernelHeight: i32;
  kernelWidth: i32;
  outHeight: i32;
  outWidth: i32;
  strideDown: i32;
  strideAcross: i32;
  /** A stretched picture has stretch - 1 zeros between its pixels: what a stride becomes on the way back. */
  stretchDown: i32;
  stretchAcross: i32;
  top: i32;
  left: i32;
}

/** The address of the pixel under a kernel's cell, or 0 where there is none. */
function pixelAt(x: usize, g: Geometry, down: i32, across: i32): usize {
  if (down < 0 || across < 0 || down % g.stretchDown != 0 || across % g.stretchAcross != 0)
    return 0;
  const row = down / g.stretchDown;
  const column = across / g.stretchAcross;
  if (row >= g.height || column >= g.width) return 0;
  return x + (<usize>((row * g.width + column) * g.channels) << 2);
}

/** The patches of `count` output pixels from `first` on, as `packLeft` lays out a matrix [count, patch]. */
function packPatches(x: usize, g: Geometry, first: i32, count: i32, to: usize): void {
  const channels = g.channels;
  const block = <usize>(g.kernelHeight * g.kernelWidth * channels * ROWS) << 2;
  for (let i = 0; i < count; i += ROWS, to += block)
    for (let r = 0; r < ROWS; r += 1) {
      const pixel = first + i + r;
      const down = (pixel / g.outWidth) * g.strideDown - g.top;
      const across = (pixel % g.outWidth) * g.strideAcross - g.left;
      let target = to + (<usize>r << 2);
      for (let kh = 0; kh < g.kernelHeight; kh += 1)
        for (let kw = 0; kw < g.kernelWidth; kw += 1) {
          const source = i + r < count ? pixelAt(x, g, down + kh, across + kw) : 0;
          if (source != 0)
            for (let c = 0; c < channels; c += 1, target += 16)
              store<f32>(target, load<f32>(source + (<usize>c << 2)));
          else for (let c = 0; c < channels; c += 1, target += 16) store<f32>(target, 0);
        }
    }
}

/** The same patches on their side: as `packLeft` lays out a matrix [patch, count]. */
function packPatchesAcross(x: usize, g: Geometry, first: i32, count: i32, to: usize): void {
  const channels = g.channels;
  const patch = g.kernelHeight * g.kernelWidth * channels;
  const block = <usize>(count * ROWS) << 2;
  for (let i = 0; i < count; i += 1) {
    const pixel = first + i;
    const down = (pixel / g.outWidth) * g.strideDown - g.top;
    const across = (pixel % g.outWidth) * g.strideAcross - g.left;
    const column = to + (<usize>i << 4);
    let p = 0;
    for (let kh = 0; kh < g.kernelHeight; kh += 1)
      for (let kw = 0; kw < g.kernelWidth; kw += 1) {
        const source = pixelAt(x, g, down + kh, across + kw);
        let c = 0;
        if ((p & 3) == 0)
          for (; c + 4 <= channels; c += 4, p += 4)
            v128.store(
              column + <usize>(p >> 2) * block,
              source == 0 ? f32x4.splat(0) : v128.load(source + (<usize>c << 2)),
            );
        for (; c < channels; c += 1, p += 1)
          store<f32>(
            column + <usize>(p >> 2) * block + (<usize>(p & 3) << 2),
            source == 0 ? 0 : load<f32>(source + (<usize>c << 2)),
          );
      }
    for (; (p & 3) != 0; p += 1)
      store<f32>(column + <usize>(p >> 2) * block + (<usize>(p & 3) << 2), 0);
  }
}

/** Bytes of the `room` that `convolve` and `kernelGradient` need. */
export function convolveRoom(patch: i32, filters: i32): i32 {
  const packed = max(leftSize(PIXELS, patch), leftSize(patch, PIXELS));
  const right = max(rightSize(patch, filters), rightSize(PIXELS, COLUMNS));
  return (packed + right + ROWS * COLUMNS) << 2;
}

/**
 * y [pictures, outHeight, outWidth, filters] = the pictures x under the kernel.
 * @param geometry i32 [13]: height, width, channels, kernel height and width, out height and width, stride and stretch
 * (down, across), pixels of padding (top, left)
 */
export function convolve(
  x: usize,
  pictures: i32,
  geometry: usize,
  kernel: usize,
  filters: i32,
  y: usize,
  room: usize,
): void {
  const g = changetype<Geometry>(geometry);
  const patch = g.kernelHeight * g.kernelWidth * g.channels;
  const left = room + (<usize>rightSize(patch, filters) << 2);
  const tile = left + (<usize>leftSize(PIXELS, patch) << 2);
  const panel = <usize>(patch * COLUMNS) << 2;
  for (let j = 0, to = room; j < filters; j += COLUMNS, to += panel)
    packRight(kernel + (<usize>j << 2), patch, min(COLUMNS, filters - j), filters, 1, to);
  const pixels = g.outHeight * g.outWidth;
  const picture = <usize>(g.height * g.width * g.channels) << 2;
  for (let i = 0; i < pictures; i += 1, x += picture)
    for (let first = 0; first < pixels; first += PIXELS) {
      const count = min(PIXELS, pixels - first);
      packPatches(x, g, first, count, left);
      for (let j = 0, right = room; j < filters; j += COLUMNS, right += panel) {
        const columns = min(COLUMNS, filters - j);
        multiplyPanel(left, right, count, columns, patch, y + (<usize>j << 2), filters, false, 0, tile);
      }
      y += <usize>(count * filters) << 2;
    }
}

/** The gradient of the kernel: dkernel [patch, filters] = Σ over the output pixels of patch · dy. */
export function kernelGradient(
  x: usize,
  pictures: i32,
  geometry: usize,
  dy: usize,
  filters: i32,
  dkernel: usize,
  room: usize,
): void {
  const g = changetype<Geometry>(geometry);
  const patch = g.kernelHeight * g.kernelWidth * g.channels;
  const right = room + (<usize>leftSize(patch, PIXELS) << 2);
  const tile = right + (<usize>rightSize(PIXELS, COLUMNS) << 2);
  memory.fill(dkernel, 0, <usize>(patch * filters) << 2);
  const pixels = g.outHeight * g.outWidth;
  const picture = <usize>(g.height * g.width * g.channels) << 2;
  for (let i = 0; i < pictures; i += 1, x += picture)
    for (let first = 0; first < pixels; first += PIXELS) {
      const count = min(PIXELS, pixels - first);
      packPatchesAcross(x, g, first, count, room);
      for (let j = 0; j < filters; j += COLUMNS) {
        const columns = min(COLUMNS, filters - j);
        const offset = <usize>j << 2;
        packRight(dy + offset, count, columns, filters, 1, right);
        multiplyPanel(room, right, patch, columns, count, dkernel + offset, filters, true, 0, tile);
      }
      dy += <usize>(count * filters) << 2;
    }
}

/** A kernel [height, width, channels, filters] turned round, [height, width, filters, channels]: what leads back. */
export function turnKernel(
  kernel: usize,
  height: i32,
  width: i32,
  channels: i32,
  filters: i32,
  to: usize,
): void {
  const cells = height * width;
  for (let cell = 0; cell < cells; cell += 1)
    for (let c = 0; c < channels; c += 1)
      for (let f = 0; f < filters; f += 1)
        store<f32>(
          to + (<usize>(((cells - 1 - cell) * filters + f) * channels + c) << 2),
          load<f32>(kernel + (<usize>((cell * channels + c) * filters + f) << 2)),
        );
}

/**
 * The gradient of a max pool: each window's goes to its first value that is the largest.
 * `geometry` as for `convolve`, the kernel being the window; dx is filled.
 */
export function maxPoolGradient(
  dy: usize,
  x: usize,
  y: usize,
  pictures: i32,
  geometry: usize,
  dx: usize,
): void {
  const g = changetype<Geometry>(geometry);
  const channels = g.channels;
  const picture = <usize>(g.height * g.width * channels) << 2;
  memory.fill(dx, 0, picture * pictures);
  for (let i = 0; i < pictures; i += 1, x += picture, dx += picture)
    for (let row = 0; row < g.outHeight; row += 1)
      for (let column = 0; column < g.outWidth; column += 1) {
        const down = row * g.strideDown - g.top;
        const across = column * g.strideAcross - g.left;
        let c = 0;
        for (; c + 4 <= channels; c += 4, dy += 16, y += 16)
          giveToLargest4(x, dx, g, down, across, <usize>c << 2, v128.load(y), v128.load(dy));
        for (; c < channels; c += 1, dy += 4, y += 4)
          giveToLargest(x, dx, g, down, across, <usize>c << 2, load<f32>(y), load<f32>(dy));
      }
}

/** Of 4 channels at once. */
function giveToLargest4(
  x: usize,
  dx: usize,
  g: Geometry,
  down: i32,
  across: i32,
  channel: usize,
  largest: v128,
  gradient: v128,
): void {
  let left = i32x4.splat(-1); // the channels whose largest value is not found yet
  for (let kh = 0; kh < g.kernelHeight; kh += 1)
    for (let kw = 0; kw < g.kernelWidth; kw += 1) {
      const source = pixelAt(x, g, down + kh, across + kw);
      if (source == 0) continue;
      const found = v128.and(left, f32x4.eq(v128.load(source + channel), largest));
      left = v128.andnot(left, found);
      const target = dx + (source - x) + channel;
      v128.store(target, f32x4.add(v128.load(target), v128.and(gradient, found)));
    }
}

function giveToLargest(
  x: usize,
  dx: usize,
  g: Geometry,
  down: i32,
  across: i32,
  channel: usize,
  largest: f32,
  gradient: f32,
): void {
  for (let kh = 0; kh < g.kernelHeight; kh += 1)
    for (let kw = 0; kw < g.kernelWidth; kw += 1) {
      const source = pixelAt(x, g, down + kh, across + kw);
      if (source == 0 || load<f32>(source + channel) != largest) continue;
      const target = dx + (source - x) + channel;
      store<f32>(target, load<f32>(target) + gradient);
      return;
    }
}
