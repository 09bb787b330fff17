import { UserError } from "../errors.ts";

/** How to write a file that can be read here. */
export const SAVE_HINT =
  'in Python, save only tensors and plain values: torch.save(model.state_dict(), "weights.pth")';

/** What a file of torch.save may hold, for the pickles in it. */
export const TORCH_ALLOWED = { contents: "tensors and plain values", hint: SAVE_HINT };

/** The same for the Python service's classifier. */
export const FUSION_HINT =
  'in Python: torch.save({"model_state_dict": model.state_dict(), "class_labels": labels}, "multimodal_best.pth")';

/** Characters of a foreign name that a message shows. */
const LONGEST_NAME = 100;

/** A file whose bytes contradict its format. */
export function damaged(name: string, detail: string, cause?: unknown): UserError {
  return new UserError("E_INPUT_BROKEN", `${name}: damaged or cut short: ${detail}`, {
    hint: "copy or download the file again, or save it anew",
    cause,
  });
}

/** A file that may be whole, but holds what is not read here. */
export function unsupported(name: string, detail: string, hint: string = SAVE_HINT): UserError {
  return new UserError("E_LAYOUT", `${name}: ${detail}`, { hint });
}

/** A name out of a file, fit for a message: one line, not too long, no control characters. */
export function printable(text: string): string {
  const clean = text.slice(0, LONGEST_NAME).replaceAll(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, "?");
  return text.length > LONGEST_NAME ? `${clean}…` : clean;
}
