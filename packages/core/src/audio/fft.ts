import FFT from "fft.js";

/** Power spectrum of a real frame: reads [n], writes |X[k]|² for k = 0 … n/2. */
export type PowerSpectrum = (frame: Float64Array, power: Float64Array) => void;

/** A power-spectrum function for frames of n samples: radix-4 where n is a power of two, Bluestein's otherwise. */
export function createPowerSpectrum(n: number): PowerSpectrum {
  return Number.isInteger(Math.log2(n)) && n > 1 ? radixSpectrum(n) : bluesteinSpectrum(n);
}

function radixSpectrum(n: number): PowerSpectrum {
  const fft = new FFT(n);
  const spectrum = fft.createComplexArray();
  return (frame, power) => {
    fft.realTransform(spectrum, frame);
    for (let k = 0; k <= n / 2; k += 1) power[k] = squaredMagnitude(spectrum, k);
  };
}

/** Bluestein's chirp-z: a DFT of any length as a convolution of a power-of-two length (Rabiner et al. 1969). */
function bluesteinSpectrum(n: number): PowerSpectrum {
  const size = 2 ** Math.ceil(Math.log2(2 * n - 1));
  const fft = new FFT(size);
  const chirp = Array.from({ length: n }, (_, i) => (Math.PI * ((i * i) % (2 * n))) / n);
  const kernel = fft.createComplexArray().fill(0);
  for (const [i, angle] of chirp.entries())
    for (const place of new Set([i, (size - i) % size])) {
      kernel[2 * place] = Math.cos(angle);
      kernel[2 * place + 1] = Math.sin(angle);
    }
  const kernelSpectrum = fft.createComplexArray();
  fft.transform(kernelSpectrum, kernel);
  const input = fft.createComplexArray();
  const product = fft.createComplexArray();
  const result = fft.createComplexArray();
  return (frame, power) => {
    input.fill(0);
    for (const [i, angle] of chirp.entries()) {
      input[2 * i] = (frame[i] ?? 0) * Math.cos(angle);
      input[2 * i + 1] = -(frame[i] ?? 0) * Math.sin(angle);
    }
    fft.transform(product, input);
    multiplyInPlace(product, kernelSpectrum);
    fft.inverseTransform(result, product);
    for (let k = 0; k <= n / 2; k += 1) power[k] = squaredMagnitude(result, k); // the last chirp has magnitude 1
  };
}

function multiplyInPlace(a: number[], b: readonly number[]): void {
  for (let i = 0; i < a.length; i += 2) {
    const [re, im, re2, im2] = [a[i] ?? 0, a[i + 1] ?? 0, b[i] ?? 0, b[i + 1] ?? 0];
    a[i] = re * re2 - im * im2;
    a[i + 1] = re * im2 + im * re2;
  }
}

function squaredMagnitude(complex: readonly number[], k: number): number {
  return (complex[2 * k] ?? 0) ** 2 + (complex[2 * k + 1] ?? 0) ** 2;
}
