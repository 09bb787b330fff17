import type { WaveformView } from "./answer.ts";
import type { Playhead } from "./playhead.ts";
import { makeTimePlot } from "./timePlot.ts";
import { duration } from "./words.ts";

/** Where the vertical axis may end, so that quiet sound can be seen. */
const SCALES = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];

/** The sound's smallest and largest value in each column, on an axis of `seconds`: pictures may last longer than the sound. */
export function makeWaveform(
  { peaks, seconds: ownSeconds }: WaveformView,
  seconds: number,
  playhead: Playhead | undefined,
  signal: AbortSignal,
): HTMLElement {
  const loudest = peaks.reduce((most, peak) => Math.max(most, Math.abs(peak)), 0);
  const top = SCALES.find((scale) => scale >= loudest) ?? 1;
  const columns = peaks.length / 2;
  const part = seconds === 0 ? 1 : ownSeconds / seconds;
  return makeTimePlot(
    {
      title: "Waveform",
      yTitle: "amplitude, full scale = 1",
      yLabels: [
        { text: String(top), at: 0 },
        { text: "0", at: 0.5 },
        { text: `−${top}`, at: 1 },
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
          const upper = ((1 - (peaks[2 * column + 1] ?? 0) / top) * height) / 2;
          const lower = ((1 - (peaks[2 * column] ?? 0) / top) * height) / 2;
          const left = (column * width * part) / columns;
          context.fillRect(
            left,
            upper,
            Math.max(0.75, (0.8 * width * part) / columns),
            Math.max(1, lower - upper),
          );
        }
      },
    },
    signal,
  );
}
