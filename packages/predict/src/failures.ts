import { countBy } from "@emotion-service/core/files/manifest";
import type { FailedInput } from "@emotion-service/core/predict/predictInput";
import type { PredictResult } from "./predict.ts";

/** The error of an input without the names of its own files. */
export function withoutNames({ error, ...input }: FailedInput): string {
  const paths: string[] = Object.values(input);
  return [paths.join(", "), ...paths].reduce(
    (text, name) => text.replaceAll(`${name}: `, ""),
    error,
  );
}

/** cause → inputs that failed by it, the most frequent first; however many frames a video has. */
export function causesOf(failed: Iterable<FailedInput>): Record<string, number> {
  const causes = Array.from(failed, (each) => withoutNames(each).replace(/ in \d+ frames/, ""));
  return Object.fromEntries(countBy(causes));
}

/** "2 × no such file", a line a cause. */
export function listCauses(causes: Readonly<Record<string, number>>): string[] {
  return Object.entries(causes).map(([cause, count]) => `${count} × ${cause}`);
}

/** Lines on the inputs that failed, summed up by cause; none where all went well. */
export function describeFailures(result: PredictResult): string[] {
  if (!("failed" in result)) return [];
  const [count, causes] =
    "causes" in result
      ? [result.failed, result.causes]
      : [result.failed.length, causesOf(result.failed)];
  return count === 0 ? [] : [`failed: ${count}`, ...listCauses(causes).map((line) => `  ${line}`)];
}
