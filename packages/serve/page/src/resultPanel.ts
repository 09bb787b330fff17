import type { Answer } from "./answer.ts";
import { make } from "./dom.ts";
import { makeJsonActions } from "./jsonActions.ts";
import { type MediaViews, makeMedia } from "./media.ts";
import { createPlayhead } from "./playhead.ts";
import type { Selection } from "./selection.ts";
import { makeSpectrogram } from "./spectrogram.ts";
import { makeTimeline } from "./timeline.ts";
import { makeVerdict } from "./verdict.ts";
import { makeWaveform } from "./waveform.ts";

/** Everything that the server told of an input; `signal` ends what listens when the next one comes. */
export function makeResult(
  answer: Answer,
  selection: Selection,
  hasDetector: boolean,
  signal: AbortSignal,
): HTMLElement[] {
  const media = makeMedia(answer, selection, signal);
  const { timeline, sound } = makePlots(answer, media, signal);
  const hasPicture = selection.image !== undefined || selection.video !== undefined;
  if (!hasPicture) media.element.append(...sound);
  return [
    make("div", { class: "overview" }, media.element, makeVerdict(answer, hasDetector)),
    ...timeline,
    ...(hasPicture ? sound : []),
    ...(answer.notes.length > 0 ? [makeNotes(answer.notes)] : []),
    makeJsonActions(answer),
  ];
}

/** What lies over time, with one playhead. */
function makePlots(
  { timeline = [], view = {}, emotion_probs: probabilities }: Answer,
  { player }: MediaViews,
  signal: AbortSignal,
): { readonly timeline: HTMLElement[]; readonly sound: HTMLElement[] } {
  const { waveform, spectrogram } = view;
  const seconds = Math.max(timeline.at(-1)?.end ?? 0, waveform?.seconds ?? 0);
  const playhead = player && createPlayhead(player, seconds);
  const hasTimeline = timeline.length > 1 && playhead !== undefined;
  const emotions = Object.keys(probabilities ?? {});
  const sound: HTMLElement[] = [];
  if (waveform !== undefined) sound.push(makeWaveform(waveform, seconds, playhead, signal));
  if (spectrogram !== undefined) sound.push(makeSpectrogram(spectrogram, signal));
  return {
    timeline: hasTimeline ? [makeTimeline(timeline, emotions, playhead, signal)] : [],
    sound,
  };
}

function makeNotes(notes: readonly string[]): HTMLElement {
  const items = notes.map((note) => make("li", {}, note));
  return make("div", { class: "notes" }, make("h3", {}, "Notes"), make("ul", {}, ...items));
}
