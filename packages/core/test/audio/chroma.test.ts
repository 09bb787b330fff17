import { CHROMA_COUNT, chromaFilterBank, createChroma } from "@emotion-service/core/audio/chroma";
import { describe, expect, it } from "vitest";

const [SR, N_FFT] = [16_000, 4096];
const NOTES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];
const C4_HZ = 440 * 2 ** (-9 / 12);

/** The pitch classes of a spectrum of tones, each in the bin it is nearest to (4 Hz a bin). */
function chromaOf(...frequenciesHz: readonly number[]): Float64Array {
  const power = new Float64Array(1 + N_FFT / 2);
  for (const hz of frequenciesHz) power[Math.round((hz * N_FFT) / SR)] = 1;
  const values = new Float64Array(CHROMA_COUNT);
  createChroma(SR, N_FFT)(power, values);
  return values;
}

describe("a note", () => {
  it.each(NOTES.map((note, row) => ({ note, row })))(
    "$note is row $row, in any octave",
    ({ row }) => {
      for (const octave of [1, 2, 4]) {
        const chroma = chromaOf(octave * C4_HZ * 2 ** (row / 12));
        expect(chroma[row]).toBe(1);
        expect(chroma[(row + 6) % CHROMA_COUNT]).toBeLessThan(0.01); // the tritone away
      }
    },
  );

  it("A of 440 Hz is the A of the tuning fork", () => {
    expect(NOTES[chromaOf(440).indexOf(1)]).toBe("A");
  });

  it("between two classes is both", () => {
    const [c = 0, cSharp = 0] = chromaOf(4 * C4_HZ * 2 ** (0.5 / 12));
    expect(Math.abs(c - cSharp)).toBeLessThan(0.1);
  });
});

it("finds the three notes of a chord", () => {
  const chord = [...chromaOf(C4_HZ * 2, 2 * C4_HZ * 2 ** (4 / 12), 2 * C4_HZ * 2 ** (7 / 12))];
  const strongest = [...NOTES.keys()].toSorted((a, b) => chord[b]! - chord[a]!).slice(0, 3);
  expect(new Set(strongest.map((row) => NOTES[row]))).toEqual(new Set(["C", "E", "G"]));
});

it("is all 0 of a silent frame", () => {
  const values = new Float64Array(CHROMA_COUNT).fill(NaN);
  createChroma(SR, N_FFT)(new Float64Array(1 + N_FFT / 2), values);
  expect(values).toEqual(new Float64Array(CHROMA_COUNT));
});

describe("the filter bank", () => {
  it("weighs a bin by its octave, most around 880 Hz", () => {
    const bank = chromaFilterBank(SR, N_FFT);
    const length = (bin: number): number => Math.hypot(...bank.map((row) => row[bin]!));
    for (const hz of [110, 440, 880, 3520]) {
      const bin = Math.round((hz * N_FFT) / SR);
      const octavesOff = Math.log2((bin * SR) / N_FFT / 880);
      expect(length(bin)).toBeCloseTo(Math.exp(-0.5 * (octavesOff / 2) ** 2), 6);
    }
  });

  it.each([401, 400, 64])("is finite at every bin of a frame of %i samples", (nFft) => {
    for (const row of chromaFilterBank(SR, nFft)) {
      expect(row).toHaveLength(1 + Math.floor(nFft / 2));
      expect(row.every((weight) => weight >= 0 && weight <= 1)).toBe(true);
    }
  });
});
