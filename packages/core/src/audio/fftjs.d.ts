declare module "fft.js" {
  /** Complex arrays are interleaved: [re, im, re, im, …]. */
  export default class FFT {
    constructor(size: number);
    createComplexArray(): number[];
    /** Fills the first half of `output` (k = 0 … n/2) from a real input. */
    realTransform(output: number[], input: ArrayLike<number>): void;
    transform(output: number[], input: readonly number[]): void;
    inverseTransform(output: number[], input: readonly number[]): void;
  }
}
