/** How many colours a map has: one a value of a byte. */
const SIZE = 256;
/** Lightness of OKLab from the first colour to the last. */
const LIGHTNESS = [0.14, 0.96] as const;
/** Hue from violet over red to yellow, degrees. */
const HUE = [285, 465] as const;
const CHROMA = 0.19;

/**
 * Colours for values: lightness rises by the same step from each to the next, so that equal differences look equal, and
 * the order can be told without seeing colour. Made in OKLCH (Björn Ottosson, "A perceptual color space", 2020), with as much chroma as sRGB has.
 * @returns [256, 3], sRGB, 0 to 255
 */
export function perceptualColours(): Uint8ClampedArray {
  const colours = new Uint8ClampedArray(SIZE * 3);
  for (let i = 0; i < SIZE; i += 1) {
    const t = i / (SIZE - 1);
    const lightness = LIGHTNESS[0] + t * (LIGHTNESS[1] - LIGHTNESS[0]);
    colours.set(inGamut(lightness, HUE[0] + t * (HUE[1] - HUE[0])), i * 3);
  }
  return colours;
}

/** The colour of that lightness and hue with the largest chroma, up to CHROMA, that sRGB can show. */
function inGamut(lightness: number, hueDegrees: number): readonly number[] {
  let low = 0;
  let high = CHROMA;
  while (high - low > 1e-4) {
    const middle = (low + high) / 2;
    if (linearRgb(lightness, middle, hueDegrees).every((value) => value >= 0 && value <= 1))
      low = middle;
    else high = middle;
  }
  return linearRgb(lightness, low, hueDegrees).map((value) => Math.round(255 * encode(value)));
}

/** OKLCH → linear sRGB, [0, 1] where it is in gamut. */
function linearRgb(lightness: number, chroma: number, hueDegrees: number): readonly number[] {
  const hue = (hueDegrees * Math.PI) / 180;
  const a = chroma * Math.cos(hue);
  const b = chroma * Math.sin(hue);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
}

/** The transfer function of sRGB (IEC 61966-2-1). */
function encode(linear: number): number {
  return linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055;
}
