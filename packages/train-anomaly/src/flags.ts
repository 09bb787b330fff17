import { InvalidArgumentError } from "@commander-js/extra-typings";
import type { Contamination, MaxSamples } from "@emotion-service/core/anomaly/forest";

/** `--contamination`: a share in (0, 0.5], or "auto". */
export function parseContamination(text: string): Contamination {
  if (text === "auto") return text;
  const value = Number(text);
  if (text.trim() === "" || !(value > 0 && value <= 0.5))
    throw new InvalidArgumentError(
      `must be 'auto' or a number above 0 and up to 0.5, got '${text}'.`,
    );
  return value;
}

/** `--max_samples`: rows (a whole number of at least 1), a share of the rows between 0 and 1, or "auto". */
export function parseMaxSamples(text: string): MaxSamples {
  if (text === "auto") return text;
  const value = Number(text);
  const isCount = /^\d+$/.test(text) && value >= 1;
  const isShare = text.trim() !== "" && value > 0 && value < 1;
  if (!isCount && !isShare)
    throw new InvalidArgumentError(
      `must be 'auto', a whole number of at least 1 or a share between 0 and 1, got '${text}'.`,
    );
  return value;
}
