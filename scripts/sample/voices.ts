import type { SampleEmotion } from "./emotions.ts";

/** How an emotion sounds. Directions after K. R. Scherer, "Vocal communication of emotion", 2003. */
export interface Voice {
  /** Mean pitch against the speaker's own, semitones. */
  readonly pitchSemitones: number;
  /** Rise of the pitch on a stressed syllable, semitones. */
  readonly rangeSemitones: number;
  /** Pitch at the end less pitch at the start, semitones. */
  readonly slopeSemitones: number;
  readonly syllablesPerSecond: number;
  /** Peak, dB relative to full scale. */
  readonly levelDb: number;
  /** How much louder a stressed syllable is than an unstressed one, dB. */
  readonly stressDb: number;
  /** Corner of the glottal low-pass, Hz: high is a pressed, bright voice, low a soft one. */
  readonly tiltHz: number;
  /** Breath noise against the pulses. */
  readonly breath: number;
  /** Relative deviation from period to period. */
  readonly jitter: number;
  /** Depth of a 6.5 Hz trembling, 0 … 1. */
  readonly tremor: number;
  /** Rise of a vowel, share of the syllable: short is abrupt. */
  readonly attack: number;
}

export const VOICES: Readonly<Record<SampleEmotion, Voice>> = {
  angry: {
    pitchSemitones: 4,
    rangeSemitones: 5,
    slopeSemitones: -2,
    syllablesPerSecond: 5.4,
    levelDb: -2,
    stressDb: 9,
    tiltHz: 2600,
    breath: 0.02,
    jitter: 0.016,
    tremor: 0,
    attack: 0.1,
  },
  disgust: {
    pitchSemitones: -1.5,
    rangeSemitones: 3.5,
    slopeSemitones: -5,
    syllablesPerSecond: 4.5,
    levelDb: -10,
    stressDb: 7,
    tiltHz: 1100,
    breath: 0.05,
    jitter: 0.03,
    tremor: 0,
    attack: 0.3,
  },
  fear: {
    pitchSemitones: 6.5,
    rangeSemitones: 1.6,
    slopeSemitones: 1.5,
    syllablesPerSecond: 6.2,
    levelDb: -8,
    stressDb: 3,
    tiltHz: 1300,
    breath: 0.12,
    jitter: 0.014,
    tremor: 0.7,
    attack: 0.16,
  },
  happy: {
    pitchSemitones: 4.5,
    rangeSemitones: 7,
    slopeSemitones: 3,
    syllablesPerSecond: 5.6,
    levelDb: -5,
    stressDb: 6,
    tiltHz: 1700,
    breath: 0.03,
    jitter: 0.007,
    tremor: 0,
    attack: 0.18,
  },
  neutral: {
    pitchSemitones: 0,
    rangeSemitones: 2,
    slopeSemitones: -1.5,
    syllablesPerSecond: 5,
    levelDb: -12,
    stressDb: 4,
    tiltHz: 1000,
    breath: 0.03,
    jitter: 0.007,
    tremor: 0,
    attack: 0.22,
  },
  sad: {
    pitchSemitones: -1,
    rangeSemitones: 1.2,
    slopeSemitones: -2.5,
    syllablesPerSecond: 4.4,
    levelDb: -18,
    stressDb: 2,
    tiltHz: 450,
    breath: 0.09,
    jitter: 0.012,
    tremor: 0.2,
    attack: 0.36,
  },
};

/** Formants 1 to 5, Hz: the first three after Peterson and Barney 1952, men. */
export const VOWELS = {
  i: [270, 2290, 3010, 3500, 4500],
  ɪ: [390, 1990, 2550, 3500, 4500],
  ɛ: [530, 1840, 2480, 3500, 4500],
  æ: [660, 1720, 2410, 3500, 4500],
  ɑ: [730, 1090, 2440, 3500, 4500],
  oʊ: [500, 900, 2400, 3500, 4500],
  ə: [500, 1500, 2500, 3500, 4500],
} as const;
export type Vowel = keyof typeof VOWELS;

export interface Syllable {
  readonly vowel: Vowel;
  /** 0 unstressed … 1 stressed. */
  readonly stress: number;
  /** Loudness of the consonant before the vowel, and the centre of its noise, Hz; absent: the vowel starts. */
  readonly consonant?: number;
  readonly consonantHz?: number;
}

/** Two of CREMA-D's sentences: "Don't forget a jacket" and "It's eleven o'clock". */
export const SENTENCE_NAMES = ["DFA", "IEO"] as const;
export type Sentence = (typeof SENTENCE_NAMES)[number];
export const SENTENCES: Readonly<Record<Sentence, readonly Syllable[]>> = {
  DFA: [
    { vowel: "oʊ", stress: 0.5, consonant: 0.05, consonantHz: 3000 },
    { vowel: "ə", stress: 0.1, consonant: 0.07, consonantHz: 6000 },
    { vowel: "ɛ", stress: 0.7, consonant: 0.06, consonantHz: 2000 },
    { vowel: "ə", stress: 0 },
    { vowel: "æ", stress: 1, consonant: 0.1, consonantHz: 3500 },
    { vowel: "ɪ", stress: 0.2, consonant: 0.08, consonantHz: 1800 },
  ],
  IEO: [
    { vowel: "ɪ", stress: 0.4 },
    { vowel: "ə", stress: 0.1, consonant: 0.12, consonantHz: 5500 },
    { vowel: "ɛ", stress: 0.9 },
    { vowel: "ə", stress: 0.1, consonant: 0.05, consonantHz: 5000 },
    { vowel: "oʊ", stress: 0.3 },
    { vowel: "ɑ", stress: 1, consonant: 0.1, consonantHz: 1800 },
  ],
};
