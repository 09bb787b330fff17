import { type Problem, keepToken } from "./api.ts";
import { make, makeButton } from "./dom.ts";
import { sentence } from "./words.ts";

/** What a status means to whom uses the page. */
const TITLES: Readonly<Record<number, string>> = {
  [-1]: "This page failed",
  0: "No answer from the server",
  400: "The server did not understand the request",
  401: "The server wants a token",
  403: "The server refuses this page",
  408: "It took too long to arrive",
  413: "The file is too large",
  415: "This is no kind of file that the server reads",
  422: "The file cannot be read",
  429: "Too many listen to this already",
  503: "The server cannot do it now",
};

/** Says what went wrong, and offers what can be done about it. */
export function makeProblem(
  { status, code, message, hint }: Problem,
  onRetry: () => void,
): HTMLElement {
  const title = TITLES[status] ?? "The server failed";
  const panel = make(
    "div",
    { class: "problem", role: "group", "aria-labelledby": "problem-title" },
    make("h3", { id: "problem-title" }, title),
    make("p", {}, sentence(message)),
  );
  if (hint !== undefined) panel.append(make("p", {}, sentence(hint)));
  if (status === 401) panel.append(makeTokenForm(onRetry));
  else panel.append(makeButton("Try again", onRetry));
  panel.append(make("p", { class: "hint" }, status <= 0 ? code : `${code}, status ${status}`));
  return panel;
}

function makeTokenForm(onToken: () => void): HTMLElement {
  const input = make("input", {
    type: "password",
    id: "token",
    required: true,
    autocomplete: "off",
  });
  const form = make(
    "form",
    { class: "token-form" },
    make("label", { for: "token" }, "Token, kept until this tab is closed"),
    make(
      "div",
      { class: "token-line" },
      input,
      make("button", { type: "submit", class: "primary" }, "Use it"),
    ),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    keepToken(input.value);
    onToken();
  });
  return form;
}
