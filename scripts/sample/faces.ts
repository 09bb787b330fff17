import { createRandom, normal } from "../../packages/core/src/random.ts";
import { SAMPLE_EMOTIONS, type SampleEmotion } from "./emotions.ts";
import { EXPRESSIONS, type Expression, shownExpression } from "./expressions.ts";

/** Width and height of a drawn face, pixels. */
const SIZE = 96;

/** What differs from person to person and from picture to picture. */
interface Look {
  readonly skin: string;
  readonly shade: string;
  readonly hair: string;
  readonly iris: string;
  readonly lips: string;
  readonly background: string;
  /** Half the width and height of the head, and half the distance of the eyes, pixels. */
  readonly width: number;
  readonly height: number;
  readonly eyeSpread: number;
  readonly eyeSize: number;
  readonly browWidth: number;
  readonly mouthWidth: number;
  /** Rows of the eyes and of the mouth, pixels. */
  readonly eyeRow: number;
  readonly mouthRow: number;
  readonly hasLongHair: boolean;
  /** Turn of the head, degrees, shift, pixels, and size. */
  readonly tilt: number;
  readonly shiftX: number;
  readonly shiftY: number;
  readonly scale: number;
  readonly lightX: number;
}

/**
 * A drawn face as JPEG, 96 × 96: the face number and the seed choose the person, the picture and how strongly the
 * emotion shows; every third picture is grey.
 */
export async function drawFace(options: {
  readonly emotion: SampleEmotion;
  readonly face: number;
  readonly seed: number;
}): Promise<Buffer> {
  const { emotion, face, seed } = options;
  const random = createRandom(seed * 15485863 + SAMPLE_EMOTIONS.indexOf(emotion) * 4096 + face);
  const svg = faceSvg(shownExpression(EXPRESSIONS[emotion], random), randomLook(random));
  return renderJpeg(svg, {
    isGrey: face % 3 === 0,
    noise: 3 + 5 * random(),
    blur: 0.3 + 0.5 * random(),
    random,
  });
}

function randomLook(random: () => number): Look {
  const pick = <T>(first: T, ...others: readonly T[]): T =>
    others[Math.floor(random() * (others.length + 1)) - 1] ?? first;
  const about = (mean: number, deviation: number): number => mean + deviation * normal(random);
  const [skin, shade] = pick<readonly [string, string]>(
    ["#f3d3b8", "#c99573"],
    ["#e5b892", "#b27d57"],
    ["#c98f65", "#8f5b38"],
    ["#8d5a3b", "#5b3620"],
    ["#6b4129", "#402414"],
  );
  return {
    skin,
    shade,
    hair: pick("#1d1713", "#3b2618", "#6a4526", "#a77f45", "#7c7873"),
    iris: pick("#3a2617", "#4b5d3a", "#46637e"),
    lips: pick("#a2564e", "#8b463f", "#b66c62"),
    background: pick("#8a9299", "#5c646b", "#b4b0a6", "#43505c", "#a39a8e"),
    width: about(34, 1.5),
    height: about(45, 1.5),
    eyeSpread: about(15.5, 0.8),
    eyeSize: about(6.2, 0.4),
    browWidth: about(2.6, 0.4),
    mouthWidth: about(12, 0.8),
    eyeRow: about(40, 1),
    mouthRow: about(71, 1.2),
    hasLongHair: random() < 0.4,
    tilt: about(0, 4),
    shiftX: about(0, 1.5),
    shiftY: about(0, 1.5),
    scale: about(1, 0.04),
    lightX: 0.25 + 0.5 * random(),
  };
}

/** The drawing, in a frame of 96 × 96 with the middle of the face at x = 48. */
function faceSvg(expression: Expression, look: Look): string {
  const turn = `translate(${look.shiftX} ${look.shiftY}) rotate(${look.tilt} 48 50) translate(48 50) scale(${look.scale}) translate(-48 -50)`;
  const parts = [
    hairBehind(look),
    head(look),
    ...[-1, 1].map((side) => eye(side, expression, look)),
    ...[-1, 1].map((side) => brow(side, expression, look)),
    folds(expression, look),
    nose(expression, look),
    mouth(expression, look),
    fringe(look),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${SIZE}" height="${SIZE}" viewBox="0 0 96 96">
<defs><radialGradient id="skin" cx="${look.lightX}" cy="0.38" r="0.75"><stop offset="0.35" stop-color="${look.skin}"/><stop offset="1" stop-color="${look.shade}"/></radialGradient></defs>
<rect width="96" height="96" fill="${look.background}"/><g transform="${turn}">${parts.join("\n")}</g></svg>`;
}

function hairBehind({ hair, width, height, hasLongHair }: Look): string {
  const drop = hasLongHair ? 40 : 4;
  return `<path d="M${48 - width - 4} ${50 + drop} V40 A${width + 4} ${height - 2} 0 0 1 ${52 + width} 40 V${50 + drop} Z" fill="${hair}"/>`;
}

function head({ width, height, shade }: Look): string {
  return `<rect x="36" y="80" width="24" height="30" fill="${shade}"/>
<ellipse cx="${48 - width}" cy="52" rx="4" ry="7" fill="${shade}"/><ellipse cx="${48 + width}" cy="52" rx="4" ry="7" fill="${shade}"/>
<path d="M${48 - width} 44 C${48 - width} ${50 - height * 1.1} ${48 + width} ${50 - height * 1.1} ${48 + width} 44 C${48 + width} 70 60 ${50 + height} 48 ${50 + height} C36 ${50 + height} ${48 - width} 70 ${48 - width} 44 Z" fill="url(#skin)"/>`;
}

function fringe({ hair, width }: Look): string {
  return `<path d="M${47 - width} 40 C${48 - width} -6 ${48 + width} -6 ${49 + width} 40 C${44 + width} 18 58 16 48 17 C38 16 ${52 - width} 18 ${47 - width} 40 Z" fill="${hair}"/>`;
}

function eye(side: number, { eyes, cheeks }: Expression, look: Look): string {
  const x = 48 + side * look.eyeSpread;
  const [left, right, y] = [x - look.eyeSize, x + look.eyeSize, look.eyeRow];
  const upper = 4.6 * (1 + 0.75 * eyes);
  const lower = Math.max(0.3, 3.4 * (1 + 0.45 * eyes - 0.45 * cheeks));
  const shape = `M${left} ${y} Q${x} ${y - 2 * upper} ${right} ${y} Q${x} ${y + 2 * lower} ${left} ${y} Z`;
  const clip = `eye${side}`;
  return `<clipPath id="${clip}"><path d="${shape}"/></clipPath><path d="${shape}" fill="#f4f1ec"/>
<g clip-path="url(#${clip})"><circle cx="${x}" cy="${y - 0.4}" r="3.5" fill="${look.iris}"/><circle cx="${x}" cy="${y - 0.4}" r="1.7" fill="#0c0a09"/><circle cx="${x - 1}" cy="${y - 1.6}" r="0.7" fill="#fff"/></g>
<path d="M${left - 0.5} ${y} Q${x} ${y - 2 * upper} ${right + 0.5} ${y}" fill="none" stroke="#1a120d" stroke-width="1.3"/>
<path d="M${left} ${y} Q${x} ${y + 2 * lower} ${right} ${y}" fill="none" stroke="${look.shade}" stroke-width="0.9"/>
<path d="M${left - 0.5} ${y - 2} Q${x} ${y - 2 * upper - 4} ${right + 0.5} ${y - 2}" fill="none" stroke="${look.shade}" stroke-width="0.9"/>`;
}

function brow(side: number, { innerBrow, outerBrow, frown, eyes }: Expression, look: Look): string {
  const row = look.eyeRow - 10 - Math.max(0, eyes) * 1.5;
  const [inner, outer] = [
    48 + side * (look.eyeSpread - 8 - 2.2 * frown),
    48 + side * (look.eyeSpread + 9),
  ];
  const [innerRow, outerRow] = [row - 5 * innerBrow, row + 1 - 4.5 * outerBrow];
  const middleRow = (innerRow + outerRow) / 2 - 3;
  return `<path d="M${inner} ${innerRow} Q${48 + side * (look.eyeSpread + 2)} ${middleRow} ${outer} ${outerRow}" fill="none" stroke="${look.hair}" stroke-width="${look.browWidth}" stroke-linecap="round"/>`;
}

/** Folds between the brows, on the forehead, and from the nose to the corners of the mouth. */
function folds({ frown, innerBrow, cheeks, sneer }: Expression, look: Look): string {
  const line = (path: string, depth: number): string =>
    `<path d="${path}" fill="none" stroke="${look.shade}" stroke-width="1.4" stroke-opacity="${Math.min(1, Math.max(0, depth))}"/>`;
  const row = look.eyeRow;
  const cheek = Math.max(0.12, 0.8 * cheeks, 0.8 * sneer);
  return [
    line(`M45.5 ${row - 12} L46 ${row - 4} M50.5 ${row - 12} L50 ${row - 4}`, frown),
    line(`M34 ${row - 19} Q48 ${row - 22} 62 ${row - 19}`, 0.9 * innerBrow),
    ...[-1, 1].map((side) =>
      line(
        `M${48 + side * 7} 58 Q${48 + side * 15} 62 ${48 + side * (look.mouthWidth + 5)} ${look.mouthRow + 1}`,
        cheek,
      ),
    ),
  ].join("");
}

function nose({ sneer }: Expression, { shade, eyeRow }: Look): string {
  const base = 60 - 2 * sneer;
  const wrinkles = `M44 ${eyeRow + 5} L48 ${eyeRow + 3} L52 ${eyeRow + 5} M43.5 ${eyeRow + 9} L48 ${eyeRow + 7} L52.5 ${eyeRow + 9}`;
  return `<path d="M45.5 ${eyeRow + 3} Q44 ${base - 6} 42 ${base - 1} Q44 ${base + 2} 48 ${base + 1.5} Q52 ${base + 2} 54 ${base - 1}" fill="none" stroke="${shade}" stroke-width="1.5"/>
<ellipse cx="45" cy="${base}" rx="1.4" ry="0.9" fill="#2a1610"/><ellipse cx="51" cy="${base}" rx="1.4" ry="0.9" fill="#2a1610"/>
<path d="${wrinkles}" fill="none" stroke="${shade}" stroke-width="1.2" stroke-opacity="${Math.min(1, sneer)}"/>`;
}

function mouth({ corners, stretch, open, teeth, sneer }: Expression, look: Look): string {
  const half = look.mouthWidth * (1 + 0.35 * stretch);
  const row = look.mouthRow;
  const cornerRow = row - 5 * corners;
  const [left, right] = [48 - half, 48 + half];
  const gap = 7 * open;
  const top = row + 1.5 * Math.max(0, corners) - gap * 0.7 - 3.5 * sneer;
  const bottom = row + 2 * Math.max(0, corners) + gap + 0.4;
  const [upper, lower] = [2 * top - cornerRow, 2 * bottom - cornerRow]; // control rows: the curve passes top and bottom
  const gapShape = `M${left} ${cornerRow} Q48 ${upper} ${right} ${cornerRow} Q48 ${lower} ${left} ${cornerRow} Z`;
  const lip = `M${left - 1.5} ${cornerRow} Q${48 - half * 0.4} ${upper - 3} 48 ${(top + upper) / 2 - 2} Q${48 + half * 0.4} ${upper - 3} ${right + 1.5} ${cornerRow} Q48 ${lower + 7} ${left - 1.5} ${cornerRow} Z`;
  return `<path d="${lip}" fill="${look.lips}"/><clipPath id="gap"><path d="${gapShape}"/></clipPath><path d="${gapShape}" fill="#3a1512"/>
<g clip-path="url(#gap)"><rect x="${left}" y="${Math.min(top, cornerRow) - 1}" width="${2 * half}" height="${1 + gap * (0.5 + 0.8 * teeth) + 4 * Math.max(0, corners) * open}" fill="#f3efe6" fill-opacity="${Math.min(1, teeth)}"/></g>
<path d="${gapShape}" fill="none" stroke="#4c1f1a" stroke-width="0.8"/>
<path d="M${48 - half * 0.5} ${bottom + 6} Q48 ${bottom + 8} ${48 + half * 0.5} ${bottom + 6}" fill="none" stroke="${look.shade}" stroke-width="1.2"/>`;
}

/** Rasterises, softens, adds the noise of a sensor. */
async function renderJpeg(
  svg: string,
  options: {
    readonly isGrey: boolean;
    readonly noise: number;
    readonly blur: number;
    readonly random: () => number;
  },
): Promise<Buffer> {
  const { default: sharp } = await import("sharp");
  const picture = sharp(Buffer.from(svg)).blur(options.blur).removeAlpha();
  const pixels = await (options.isGrey ? picture.greyscale() : picture)
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { channels } = pixels.info;
  for (let i = 0; i < pixels.data.length; i += channels) {
    const grain = options.noise * normal(options.random);
    for (let c = i; c < i + channels; c += 1)
      pixels.data[c] = Math.max(0, Math.min(255, Math.round((pixels.data[c] ?? 0) + grain)));
  }
  return sharp(pixels.data, { raw: { width: SIZE, height: SIZE, channels } })
    .toColourspace(options.isGrey ? "b-w" : "srgb")
    .jpeg({ quality: 88 })
    .toBuffer();
}
