import { analyse, requireSize } from "./analysis.ts";
import type { ModelsAnswer } from "./answer.ts";
import { RequestFailed, request } from "./api.ts";
import { showCard } from "./cardDialog.ts";
import { announce, byId, make, makeButton } from "./dom.ts";
import { fillInputPanel } from "./inputPanel.ts";
import { makeOptionsForm } from "./optionsForm.ts";
import { makeProblem } from "./problemPanel.ts";
import { makeProgressPanel } from "./progressPanel.ts";
import { makeResult } from "./resultPanel.ts";
import type { Selection } from "./selection.ts";

/** A recording ends by itself then, seconds. */
const LONGEST_RECORDING = 60;

const body = byId("result-body");
const options = makeOptionsForm();
let hasDetector = false;
let mostBytes = Infinity;
/** Of what is shown: ended by what comes next. */
let current = new AbortController();

fillInputPanel(byId("input"), options.element, {
  longestRecording: LONGEST_RECORDING,
  onAnalyse: (selection) => void run(selection),
});
showEmpty();
await loadModels();

/** What is loaded, said in the head of the page. */
async function loadModels(): Promise<void> {
  const models = byId("models");
  try {
    const { classifier, detector, limits } = (await (
      await request("/models")
    ).json()) as ModelsAnswer;
    byId("about-data").hidden = classifier?.comes_along !== true;
    hasDetector = detector !== null;
    mostBytes = limits.body_bytes;
    const names = [classifier?.name, detector?.name].filter((name) => name !== undefined);
    models.textContent = `Models: ${names.join(", ")}`;
    const cards = (classifier?.cards ?? []).map(({ name, url }) =>
      make(
        "li",
        {},
        makeButton(`Card of ${name}`, () => void showCard(name, url), { class: "link" }),
      ),
    );
    byId("cards").replaceChildren(...cards, make("li", {}, make("a", { href: "/docs" }, "API")));
  } catch (error) {
    models.textContent = "";
    showProblem(error, () => {
      showEmpty();
      void loadModels();
    });
  }
}

function showEmpty(): void {
  body.replaceChildren(make("p", { class: "empty" }, "Nothing was analysed yet."));
}

async function run(selection: Selection): Promise<void> {
  const values = options.read();
  if (values === undefined) return;
  current.abort();
  const ours = new AbortController();
  current = ours;
  const progress = makeProgressPanel(() => ours.abort());
  show(progress.element);
  try {
    requireSize(selection, mostBytes);
    const answer = await analyse(selection, values, progress.show, ours.signal);
    show(...makeResult(answer, selection, hasDetector, ours.signal));
    announce(`Done. ${answer.emotion ?? "No emotion told"}.`);
    byId("result-title").focus();
  } catch (error) {
    if (current !== ours) return; // another analysis has taken its place
    if (ours.signal.aborted) showEmpty();
    else showProblem(error, () => void run(selection));
    announce(ours.signal.aborted ? "Cancelled." : byId("problem-title").textContent);
  }
}

function show(...elements: readonly HTMLElement[]): void {
  body.replaceChildren(...elements);
  byId("result").scrollIntoView({ block: "nearest" });
}

function showProblem(error: unknown, onRetry: () => void): void {
  const problem =
    error instanceof RequestFailed
      ? error.problem
      : { status: -1, code: "E_PAGE", message: `the page failed: ${String(error)}` };
  show(makeProblem(problem, onRetry));
  body.querySelector("input")?.focus();
}
