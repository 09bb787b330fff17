/**
 * Advance widths of DejaVu Sans 2.37, of the characters from space to ~ in thousandths of the size (its hmtx table): a picture
 * is laid out before anything can measure its text.
 */
const REGULAR = [
  317, 400, 459, 837, 636, 950, 779, 274, 390, 390, 500, 837, 317, 360, 317, 336, 636, 636, 636,
  636, 636, 636, 636, 636, 636, 636, 336, 336, 837, 837, 837, 530, 1000, 684, 686, 698, 770, 631,
  575, 774, 751, 294, 294, 655, 557, 862, 748, 787, 603, 787, 694, 634, 610, 731, 684, 988, 685,
  610, 685, 390, 336, 390, 837, 500, 500, 612, 634, 549, 634, 615, 352, 634, 633, 277, 277, 579,
  277, 974, 633, 611, 634, 634, 411, 520, 392, 633, 591, 817, 591, 591, 524, 636, 336, 636, 837,
];
/** The same of DejaVu Sans Bold. */
const BOLD = [
  348, 456, 520, 837, 695, 1001, 872, 306, 457, 457, 522, 837, 379, 415, 379, 365, 695, 695, 695,
  695, 695, 695, 695, 695, 695, 695, 399, 399, 837, 837, 837, 580, 1000, 773, 762, 733, 830, 683,
  683, 820, 836, 372, 372, 774, 637, 995, 836, 850, 732, 850, 770, 720, 682, 812, 773, 1103, 770,
  724, 725, 457, 365, 457, 837, 500, 500, 674, 715, 592, 715, 678, 435, 715, 711, 342, 342, 665,
  342, 1041, 711, 687, 715, 715, 493, 595, 478, 711, 651, 923, 645, 651, 582, 711, 365, 711, 837,
];
const FIRST = 0x20;
/** Of any other character: what a wide one takes. */
const OTHER = 1000;

/** How wide a text is at a font size, in the unit of the size. */
export function textWidth(text: string, size: number, weight: "regular" | "bold"): number {
  const widths = weight === "bold" ? BOLD : REGULAR;
  let total = 0;
  for (const character of text) total += widths[(character.codePointAt(0) ?? 0) - FIRST] ?? OTHER;
  return (total * size) / 1000;
}
