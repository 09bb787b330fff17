import { normal } from "../../packages/core/src/random.ts";
import type { SampleEmotion } from "./emotions.ts";

/** What a face does, each from 0 (at rest) to 1 or from -1 to 1. After the units of P. Ekman's facial action coding. */
export interface Expression {
  /** Inner and outer ends of the brows: up is positive. */
  readonly innerBrow: number;
  readonly outerBrow: number;
  /** Brows drawn together, with a fold between them. */
  readonly frown: number;
  /** How far the eyes are open: 0 at rest, 1 wide, -1 shut. */
  readonly eyes: number;
  /** The corners of the mouth: up is positive. */
  readonly corners: number;
  /** How wide the mouth is stretched, and how far it is open. */
  readonly stretch: number;
  readonly open: number;
  /** Teeth shown in the open mouth. */
  readonly teeth: number;
  /** Nose wrinkled, upper lip raised. */
  readonly sneer: number;
  /** Cheeks raised, with folds from the nose to the mouth. */
  readonly cheeks: number;
}

export const EXPRESSIONS: Readonly<Record<SampleEmotion, Expression>> = {
  angry: {
    innerBrow: -1,
    outerBrow: 0.3,
    frown: 1,
    eyes: -0.1,
    corners: -0.35,
    stretch: 0.1,
    open: 0.35,
    teeth: 0.9,
    sneer: 0.35,
    cheeks: 0.1,
  },
  disgust: {
    innerBrow: -0.7,
    outerBrow: -0.3,
    frown: 0.5,
    eyes: -0.55,
    corners: -0.5,
    stretch: -0.15,
    open: 0.2,
    teeth: 0.5,
    sneer: 1,
    cheeks: 0.7,
  },
  fear: {
    innerBrow: 0.9,
    outerBrow: 0.4,
    frown: 0.4,
    eyes: 0.9,
    corners: -0.25,
    stretch: 0.4,
    open: 0.75,
    teeth: 0.3,
    sneer: 0,
    cheeks: 0,
  },
  happy: {
    innerBrow: 0.1,
    outerBrow: 0.2,
    frown: 0,
    eyes: -0.25,
    corners: 1,
    stretch: 0.8,
    open: 0.45,
    teeth: 1,
    sneer: 0,
    cheeks: 0.9,
  },
  neutral: {
    innerBrow: 0,
    outerBrow: 0,
    frown: 0,
    eyes: 0,
    corners: 0,
    stretch: 0,
    open: 0,
    teeth: 0,
    sneer: 0,
    cheeks: 0,
  },
  sad: {
    innerBrow: 0.8,
    outerBrow: -0.6,
    frown: 0.3,
    eyes: -0.4,
    corners: -0.9,
    stretch: -0.2,
    open: 0.03,
    teeth: 0,
    sneer: 0,
    cheeks: 0.1,
  },
};

/** The expression as one face shows it: between weak and full, plus noise on every part, so that emotions overlap. */
export function shownExpression(full: Expression, random: () => number): Expression {
  const strength = 0.4 + 0.7 * random();
  const show = (name: keyof Expression, min: number): number =>
    Math.min(1.2, Math.max(min, strength * full[name] + 0.14 * normal(random)));
  return {
    innerBrow: show("innerBrow", -1.2),
    outerBrow: show("outerBrow", -1.2),
    frown: show("frown", 0),
    eyes: show("eyes", -0.85),
    corners: show("corners", -1.2),
    stretch: show("stretch", -0.6),
    open: show("open", 0),
    teeth: show("teeth", 0),
    sneer: show("sneer", 0),
    cheeks: show("cheeks", 0),
  };
}
