import type { SpectrogramView } from "./answer.ts";
import { perceptualColours } from "./colourMap.ts";
import { hzToMel } from "@emotion-service/core/audio/mel";
import { make } from "./dom.ts";
import { type YLabel, makeTimePlot } from "./timePlot.ts";
import { duration } from "./words.ts";

const LABELLED_HZ = [250, 500, 1000, 2000, 4000, 8000, 16_000];

/** The log-mel frames that the model heard. */
export function makeSpectrogram(view: SpectrogramView, signal: AbortSignal): HTMLElement {
  const { mels, seconds, top_hz: topHz } = view;
  const picture = pictureOf(view);
  return makeTimePlot(
    {
      title: "Spectrogram of what the model heard",
      yTitle: topHz === undefined ? `${mels} mel bands` : "frequency, Hz (mel scale)",
      yLabels: topHz === undefined ? [] : frequencyLabels(mels, topHz),
      seconds,
      height: 160,
      description: `The mel spectrogram of ${duration(seconds)} of sound in ${mels} bands, from 80 dB below the loudest value (dark) to it (light).`,
      playhead: undefined,
      draw: (context, { width, height }) => {
        context.imageSmoothingEnabled = false;
        context.drawImage(picture, 0, 0, width, height);
      },
    },
    signal,
  );
}

/** Frequencies at the height of the band whose centre they are: bands are evenly spaced in mel, from 0 Hz to the top. */
export function frequencyLabels(mels: number, topHz: number): YLabel[] {
  const bandsPerMel = (mels + 1) / hzToMel(topHz);
  return LABELLED_HZ.map((hz) => ({
    text: String(hz),
    at: 1 - (hzToMel(hz) * bandsPerMel - 0.5) / mels,
  })).filter(({ at }) => at >= 0 && at <= 1);
}

/** A pixel a value: time to the right, low bands below. */
function pictureOf({ mels, frames, values }: SpectrogramView): HTMLCanvasElement {
  const bytes = Uint8Array.from(atob(values), (character) => character.charCodeAt(0));
  const colours = perceptualColours();
  const picture = make("canvas", { width: frames, height: mels });
  const context = picture.getContext("2d");
  if (context === null) return picture;
  const image = context.createImageData(frames, mels);
  for (let frame = 0; frame < frames; frame += 1)
    for (let mel = 0; mel < mels; mel += 1) {
      const colour = 3 * (bytes[frame * mels + mel] ?? 0);
      const pixel = 4 * ((mels - 1 - mel) * frames + frame);
      image.data.set(colours.subarray(colour, colour + 3), pixel);
      image.data[pixel + 3] = 255;
    }
  context.putImageData(image, 0, 0);
  return picture;
}
