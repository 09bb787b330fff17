import type { Answer } from "./answer.ts";
import { make } from "./dom.ts";
import { capitalized, faceWords, percent, signed, voiceWords } from "./words.ts";

/** The emotion, the probabilities, the anomaly score, and what of a face and a voice was found. */
export function makeVerdict(answer: Answer, hasDetector: boolean): HTMLElement {
  const verdict = make("div", { class: "verdict" }, ...makeHeadline(answer));
  if (answer.emotion_probs !== null)
    verdict.append(makeBars(answer.emotion_probs, answer.emotion ?? ""));
  if (hasDetector) verdict.append(makeAnomaly(answer));
  const about = make("a", { href: "#about" }, "What the numbers are");
  verdict.append(
    makeFound(answer),
    make("p", { class: "hint" }, "A model's guess, not a truth about a person. ", about),
  );
  return verdict;
}

function makeHeadline({
  emotion,
  confidence,
  emotion_probs: probabilities,
}: Answer): HTMLElement[] {
  if (emotion === null || confidence === null || probabilities === null) {
    const why = "The models found nothing in it that they can tell of.";
    return [
      make("p", { class: "headline" }, "No emotion told"),
      make("p", { class: "headline-note" }, why),
    ];
  }
  const likeliest = Object.keys(probabilities)[0] ?? "";
  const note =
    emotion === likeliest
      ? `The likeliest of ${Object.keys(probabilities).length} emotions, with ${percent(confidence)}.`
      : `The likeliest, ${likeliest} with ${percent(confidence)}, is below the confidence that you ask for.`;
  return [
    make("p", { class: "headline" }, capitalized(emotion)),
    make("p", { class: "headline-note" }, note),
  ];
}

function makeBars(probabilities: Readonly<Record<string, number>>, told: string): HTMLElement {
  const rows = Object.entries(probabilities).map(([emotion, probability]) => {
    const bar = make("span", { class: "bar" });
    bar.style.width = `${100 * probability}%`;
    return make(
      "tr",
      { class: emotion === told ? "told" : undefined },
      make("th", { scope: "row" }, emotion),
      make(
        "td",
        { class: "bar-cell" },
        make("span", { class: "bar-track", "aria-hidden": true }, bar),
      ),
      make("td", { class: "number" }, percent(probability)),
    );
  });
  const head = make(
    "thead",
    { class: "visually-hidden" },
    make(
      "tr",
      {},
      ...["Emotion", "Bar", "Probability"].map((text) => make("th", { scope: "col" }, text)),
    ),
  );
  const caption = make("caption", {}, "Probability of each emotion");
  return make("table", { class: "bars" }, caption, head, make("tbody", {}, ...rows));
}

function makeAnomaly({ anomaly_score: score, anomaly_flag: isAnomaly }: Answer): HTMLElement {
  const words =
    score === null
      ? "Anomaly: no score for this input."
      : `Anomaly score ${signed(score)}: ${isAnomaly === true ? "unlike" : "like"} what the detector was trained on (above 0 is unlike).`;
  return make("p", { class: isAnomaly === true ? "anomaly is-anomaly" : "anomaly" }, words);
}

function makeFound({ modalities }: Answer): HTMLElement {
  const words = [faceWords(modalities.image), voiceWords(modalities.audio)].filter(
    (word) => word !== undefined,
  );
  const items = words.map(({ found, text }) =>
    make("li", { class: found ? "found" : "missing" }, text),
  );
  return make("ul", { class: "findings", "aria-label": "What was found" }, ...items);
}
