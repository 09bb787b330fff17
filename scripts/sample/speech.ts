import { createRandom, normal } from "../../packages/core/src/random.ts";
import { SAMPLE_EMOTIONS, type SampleEmotion } from "./emotions.ts";
import {
  SENTENCES,
  SENTENCE_NAMES,
  type Sentence,
  type Syllable,
  VOICES,
  VOWELS,
  type Voice,
  type Vowel,
} from "./voices.ts";

export const SAMPLE_RATE_HZ = 16000;

/** Samples between two updates of the formants, the pitch and the loudness: 5 ms. */
const CONTROL_STEP = 80;
/** Bandwidths of the five formants, Hz (D. H. Klatt, "Software for a cascade/parallel formant synthesizer", 1980). */
const BANDWIDTHS_HZ = [60, 90, 150, 200, 250] as const;
/** Loudness of the room, relative to full scale: about -62 dB. */
const ROOM_NOISE = 0.0008;

/** A speaker's own voice. */
interface Speaker {
  /** Mean pitch of neutral speech, Hz. */
  readonly pitchHz: number;
  /** Formants are multiplied by this: a shorter vocal tract is above 1. */
  readonly formantScale: number;
}

/** The voice of a speaker: the same whatever the emotion and the sentence. Odd numbers are low voices, even ones high. */
function speakerOf(speaker: number, seed: number): Speaker {
  const random = createRandom(seed * 7919 + speaker);
  const isHigh = speaker % 2 === 0;
  return {
    pitchHz: (isHigh ? 190 : 112) * 2 ** (normal(random) * 0.12),
    formantScale: (isHigh ? 1.16 : 1) * 2 ** (normal(random) * 0.04),
  };
}

/**
 * A speech-like clip: glottal pulses through five formants that move from vowel to vowel, with bursts of noise for
 * consonants. The emotion moves pitch, melody, tempo, loudness and voice quality, by an amount that differs from clip
 * to clip, so that emotions overlap.
 * @returns mono samples in [-1, 1] at {@link SAMPLE_RATE_HZ}, 1.2 to 1.8 s with the near-silence before and after.
 */
export function synthesizeSpeech(options: {
  readonly speaker: number;
  readonly sentence: Sentence;
  readonly emotion: SampleEmotion;
  readonly seed: number;
}): Float32Array {
  const { speaker, sentence, emotion, seed } = options;
  const clip = SENTENCE_NAMES.indexOf(sentence) * 8 + SAMPLE_EMOTIONS.indexOf(emotion);
  const random = createRandom(seed * 104729 + speaker * 64 + clip);
  const voice = actedVoice(VOICES[emotion], random);
  const speech = speak(SENTENCES[sentence], voice, speakerOf(speaker, seed), random);
  return inRoom(speech, voice, random);
}

/** The emotion as this clip plays it: between neutral and full, plus noise on every setting. */
function actedVoice(full: Voice, random: () => number): Voice {
  const strength = 0.45 + 0.65 * random();
  const play = (name: keyof Voice, noise: number): number => {
    const neutral = VOICES.neutral[name];
    return neutral + strength * (full[name] - neutral) + noise * normal(random);
  };
  return {
    pitchSemitones: play("pitchSemitones", 1.1),
    rangeSemitones: Math.max(0.4, play("rangeSemitones", 0.8)),
    slopeSemitones: play("slopeSemitones", 1),
    syllablesPerSecond: Math.min(6.4, Math.max(4.5, play("syllablesPerSecond", 0.3))),
    levelDb: play("levelDb", 1.5),
    stressDb: play("stressDb", 1),
    tiltHz: Math.max(250, play("tiltHz", 250)),
    breath: Math.max(0, play("breath", 0.015)),
    jitter: Math.max(0.002, play("jitter", 0.003)),
    tremor: Math.max(0, play("tremor", 0.05)),
    attack: Math.min(0.5, Math.max(0.08, play("attack", 0.04))),
  };
}

/** What changes slowly: one value each control step. */
interface Controls {
  readonly pitchHz: number;
  /** Loudness of the voice, linear. */
  readonly voicing: number;
  /** Loudness of the consonant's noise, linear, and its centre, Hz. */
  readonly noise: number;
  readonly noiseHz: number;
  readonly formantsHz: readonly number[];
}

function speak(
  syllables: readonly Syllable[],
  voice: Voice,
  speaker: Speaker,
  random: () => number,
): Float32Array {
  const lengths = syllables.map(
    ({ stress }) =>
      ((0.9 + 0.25 * stress + 0.1 * normal(random)) / voice.syllablesPerSecond) * SAMPLE_RATE_HZ,
  );
  const ends: number[] = [];
  for (const length of lengths) ends.push((ends.at(-1) ?? 0) + length);
  const total = Math.ceil(ends.at(-1) ?? 0);
  const samples = new Float32Array(total);
  const source = createSource(voice, random);
  const tract = createCascade(BANDWIDTHS_HZ.length);
  const mouth = createCascade(1);
  let index = 0;
  for (let start = 0; start < total; start += CONTROL_STEP) {
    while (index < syllables.length - 1 && start >= (ends[index] ?? 0)) index += 1;
    const length = lengths[index] ?? 1;
    const within = (start - ((ends[index] ?? 0) - length)) / length;
    const now = controlsAt({ syllables, index, within, progress: start / total, voice, speaker });
    tract.tune(now.formantsHz, BANDWIDTHS_HZ);
    mouth.tune([now.noiseHz], [now.noiseHz * 0.4]);
    for (let i = start; i < Math.min(total, start + CONTROL_STEP); i += 1) {
      const voiced = tract.filter(source(now.pitchHz) * now.voicing);
      samples[i] = voiced + mouth.filter((2 * random() - 1) * now.noise);
    }
  }
  return samples;
}

function controlsAt(at: {
  readonly syllables: readonly Syllable[];
  readonly index: number;
  /** Position in the syllable and in the sentence, 0 … 1. */
  readonly within: number;
  readonly progress: number;
  readonly voice: Voice;
  readonly speaker: Speaker;
}): Controls {
  const { syllables, index, within, progress, voice, speaker } = at;
  const { vowel, stress, consonant, consonantHz } = syllables[index] ?? {
    vowel: "ə" as const,
    stress: 0,
  };
  const next = syllables[Math.min(index + 1, syllables.length - 1)]?.vowel ?? vowel;
  const hump = Math.sin(Math.PI * within);
  const semitones =
    voice.pitchSemitones +
    voice.slopeSemitones * (progress - 0.5) +
    voice.rangeSemitones * (stress * hump - 0.35);
  const onset = consonant === undefined ? 0.06 : 0.22;
  const rise = Math.min(1, Math.max(0, (within - onset) / voice.attack));
  const fall = Math.min(1, (1 - within) / 0.3);
  return {
    pitchHz: speaker.pitchHz * 2 ** (semitones / 12),
    voicing: rise * fall * decibels(voice.stressDb * (stress - 0.5)),
    noise: within < onset && within > 0.05 ? (consonant ?? 0) : 0,
    noiseHz: Math.min(7000, (consonantHz ?? 2000) * speaker.formantScale),
    formantsHz: between(vowel, next, Math.max(0, within - 0.6)).map(
      (hz) => hz * speaker.formantScale,
    ),
  };
}

function between(vowel: Vowel, next: Vowel, share: number): number[] {
  return VOWELS[vowel].map((hz, i) => hz + share * ((VOWELS[next][i] ?? hz) - hz));
}

/** The sound of the vocal folds at a given pitch: low-passed pulses that are never quite regular, and breath. */
function createSource(voice: Voice, random: () => number): (pitchHz: number) => number {
  const smooth = Math.exp((-2 * Math.PI * voice.tiltHz) / SAMPLE_RATE_HZ);
  let phase = 1;
  let wobble = 0;
  let height = 1;
  let [first, second, before, time] = [0, 0, 0, 0];
  return (pitchHz) => {
    time += 1 / SAMPLE_RATE_HZ;
    const tremor = voice.tremor * Math.sin(2 * Math.PI * 6.5 * time);
    phase += (pitchHz * (1 + wobble + 0.06 * tremor)) / SAMPLE_RATE_HZ;
    let pulse = 0;
    if (phase >= 1) {
      phase -= 1;
      wobble = voice.jitter * normal(random);
      height = (1 + 4 * voice.jitter * normal(random)) * (1 + 0.5 * tremor);
      pulse = height * Math.sqrt(SAMPLE_RATE_HZ / pitchHz);
    }
    first += (1 - smooth) * (pulse + voice.breath * normal(random) - first);
    second += (1 - smooth) * (first - second);
    const radiated = second - 0.95 * before;
    before = second;
    return radiated;
  };
}

/** Two-pole resonators one after the other, each with gain 1 at 0 Hz (Klatt 1980, equations 1 to 3). */
function createCascade(count: number) {
  const a = new Float64Array(count);
  const b = new Float64Array(count);
  const c = new Float64Array(count);
  const last = new Float64Array(count);
  const older = new Float64Array(count);
  const tune = (centresHz: readonly number[], widthsHz: readonly number[]): void => {
    for (let i = 0; i < count; i += 1) {
      const radius = Math.exp((-Math.PI * (widthsHz[i] ?? 100)) / SAMPLE_RATE_HZ);
      c[i] = -radius * radius;
      b[i] = 2 * radius * Math.cos((2 * Math.PI * (centresHz[i] ?? 500)) / SAMPLE_RATE_HZ);
      a[i] = 1 - (b[i] ?? 0) - (c[i] ?? 0);
    }
  };
  const filter = (input: number): number => {
    let value = input;
    for (let i = 0; i < count; i += 1) {
      value = (a[i] ?? 0) * value + (b[i] ?? 0) * (last[i] ?? 0) + (c[i] ?? 0) * (older[i] ?? 0);
      older[i] = last[i] ?? 0;
      last[i] = value;
    }
    return value;
  };
  return { tune, filter };
}

/** Sets the clip's loudness, puts near-silence around the speech and the room's noise under all of it. */
function inRoom(speech: Float32Array, voice: Voice, random: () => number): Float32Array {
  const lead = Math.round((0.08 + 0.1 * random()) * SAMPLE_RATE_HZ);
  const tail = Math.round((0.08 + 0.14 * random()) * SAMPLE_RATE_HZ);
  const clip = new Float32Array(lead + speech.length + tail);
  let peak = 0;
  for (const value of speech) peak = Math.max(peak, Math.abs(value));
  const gain = Math.min(0.98, decibels(voice.levelDb)) / peak;
  for (let i = 0; i < clip.length; i += 1)
    clip[i] = gain * (speech[i - lead] ?? 0) + ROOM_NOISE * normal(random);
  return clip;
}

function decibels(level: number): number {
  return 10 ** (level / 20);
}
