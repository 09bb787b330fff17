import type { SpectrogramView } from "./answer.ts";
import { perceptualColours } from "./colourMap.ts";
import { make } from "./dom.ts";
import { frequencyLabels } from "./ticks.ts";
import { makeTimePlot } from "./timePlot.ts";
import { duration } from "./words.ts";

/** The log-mel frames that the model heard. */
export function makeSpectrogram(view: SpectrogramView, signal: AbortSignal): HTMLElement {
  const { mels, seconds, top_hz: topHz } = view;
  const colours = perceptualColours();
  const picture = pictureOf(view, colours);
  const plot = makeTimePlot(
    {
      title: "Spectrogram of what the model heard",
      yTitle: "frequency, Hz (mel scale)",
      yLabels: frequencyLabels(mels, topHz),
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
  plot.append(makeScale(colours));
  return plot;
}

/** The colours from the quietest to the loudest. */
function makeScale(colours: Uint8ClampedArray): HTMLElement {
  const steps = colours.length / 3;
  const scale = make("canvas", {
    width: steps,
    height: 1,
    class: "colour-scale",
    "aria-hidden": true,
  });
  paintColours(scale, (_, x) => x, colours);
  return make("p", { class: "legend" }, "−80 dB", scale, "0 dB (loudest)");
}

/** A pixel a value: time to the right, low bands below. */
function pictureOf(
  { mels, frames, values }: SpectrogramView,
  colours: Uint8ClampedArray,
): HTMLCanvasElement {
  const bytes = Uint8Array.from(atob(values), (character) => character.charCodeAt(0));
  const picture = make("canvas", { width: frames, height: mels });
  paintColours(picture, (row, frame) => bytes[frame * mels + (mels - 1 - row)] ?? 0, colours);
  return picture;
}

/** Fills a canvas, a pixel at a time, with colours by their number. */
function paintColours(
  canvas: HTMLCanvasElement,
  colourAt: (row: number, column: number) => number,
  colours: Uint8ClampedArray,
): void {
  const { width, height } = canvas;
  const context = canvas.getContext("2d");
  if (context === null) return;
  const image = context.createImageData(width, height);
  for (let row = 0; row < height; row += 1)
    for (let column = 0; column < width; column += 1) {
      const colour = 3 * colourAt(row, column);
      const pixel = 4 * (row * width + column);
      image.data.set(colours.subarray(colour, colour + 3), pixel);
      image.data[pixel + 3] = 255;
    }
  context.putImageData(image, 0, 0);
}
