export const SCHEDULERS = ["none", "onecycle", "cosine"] as const;
export type Scheduler = (typeof SCHEDULERS)[number];

/** torch.optim.lr_scheduler.OneCycleLR's defaults. */
const WARM_UP = 0.3;
const START_DIVISOR = 25;
const END_DIVISOR = 1e4;

/**
 * The learning rate of each step.
 * none: `lr` throughout. cosine: from `lr` down to 0. onecycle: from maxLr / 25 up to maxLr over the first 30 % of the
 * steps, then down to maxLr / 250,000, both along a cosine; AdamW's betas stay as they are (cycle_momentum=False).
 */
export function createSchedule(
  scheduler: Scheduler,
  { lr, maxLr, steps }: { readonly lr: number; readonly maxLr: number; readonly steps: number },
): (step: number) => number {
  const cosine = (from: number, to: number, part: number): number =>
    to + ((from - to) * (1 + Math.cos(Math.PI * part))) / 2;
  if (scheduler === "none") return () => lr;
  if (scheduler === "cosine") return (step) => cosine(lr, 0, step / steps);
  const start = maxLr / START_DIVISOR;
  const peak = WARM_UP * steps - 1;
  return (step) =>
    step <= peak
      ? cosine(start, maxLr, step / peak)
      : cosine(maxLr, start / END_DIVISOR, (step - peak) / Math.max(1, steps - 1 - peak));
}
