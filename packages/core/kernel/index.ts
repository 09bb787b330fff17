/** The inner loops of the audio features, of resizing pictures and of isolation forests, for WebAssembly with 128-bit SIMD. Addresses are bytes in the one memory. */
export {
  loadFrames,
  multiply,
  powerOfComplex,
  powerOfPacked,
  radix2,
  radix3,
  radix4,
  radix5,
} from "./fft";
export { countUp, drawToFront, growTree } from "./growTree";
export { addForestLengths, averagePathLength, depthOf, floatAtMost, placeTree } from "./isolation";
export { decibels, maximum, melBands, toDecibels } from "./mel";
export { resizeColumns, resizeRows } from "./resize";
export { select } from "./select";
export { divide, energies, pcm16ToMono, peak, polyphase, polyphaseBetween } from "./samples";

/** Memory of so many bytes, on a multiple of 16. */
export function allocate(bytes: usize): usize {
  return heap.alloc(bytes);
}

/** Gives back what `allocate` gave. */
export function release(address: usize): void {
  heap.free(address);
}
