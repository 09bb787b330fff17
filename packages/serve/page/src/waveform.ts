import type { WaveformView } from "./answer.ts";
import type { Playhead } from "./playhead.ts";
import { makeTimePlot } from "./timePlot.ts";
import { duration } from "./words.ts";

/** The sound's smallest and largest value in each column, on an axis of `seconds`: pictures may last longer than the sound. */
export function makeWaveform(
  { peaks, seconds: ownSeconds }: WaveformView,
  seconds: number,
  playhead: Playhead | undefined,
  signal: AbortSignal,
): HTMLElement {
  const loudest = peaks.reduce((most, peak) => Math.max(most, Math.abs(peak)), 0);
  const columns = peaks.length / 2;
  const part = seconds === 0 ? 1 : ownSeconds / seconds;
  return makeTimePlot(
    {
      title: "Waveform",
      yTitle: "amplitude, full scale = 1",
      yLabels: [
        { text: "1", at: 0 },
        { text: "0", at: 0.5 },
        { text: "−1", at: 1 },
      ],
      seconds,
      height: 88,
      description: `The waveform of ${duration(ownSeconds)} of sound; its peak is ${loudest.toFixed(2)} of full scale.`,
      playhead,
      draw: (context, { width, height }, { accent, line }) => {
        context.fillStyle = line;
        context.fillRect(0, height / 2, width, 1);
        context.fillStyle = accent;
        for (let column = 0; column < columns; column += 1) {
          const top = ((1 - (peaks[2 * column + 1] ?? 0)) * height) / 2;
          const bottom = ((1 - (peaks[2 * column] ?? 0)) * height) / 2;
          const left = (column * width * part) / columns;
          context.fillRect(
            left,
            top,
            Math.max(0.75, (0.8 * width * part) / columns),
            Math.max(1, bottom - top),
          );
        }
      },
    },
    signal,
  );
}
