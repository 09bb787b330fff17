import { cancelled } from "./httpErrors.ts";

/** Something that waits for its turn. */
interface Waiting {
  readonly start: () => void;
  readonly onPosition: ((position: number) => void) | undefined;
}

export interface TurnOptions {
  /** Gives the place up. */
  readonly signal?: AbortSignal;
  /** Told how many are before it, whenever that changes. */
  readonly onPosition?: ((position: number) => void) | undefined;
}

/** Works one after another, in the order in which they came. */
export type Queue = ReturnType<typeof createQueue>;

export function createQueue() {
  const waiting: Waiting[] = [];
  let isRunning = false;
  const tellPositions = (): void =>
    waiting.forEach(({ onPosition }, before) => onPosition?.(before));
  const startNext = (): void => {
    if (isRunning) return;
    const next = waiting.shift();
    if (next === undefined) return;
    isRunning = true;
    next.start();
    tellPositions();
  };
  const turn = ({ signal, onPosition }: TurnOptions): Promise<void> =>
    new Promise((settle, fail) => {
      const leave = (): void => {
        const at = waiting.indexOf(entry);
        if (at === -1) return;
        waiting.splice(at, 1);
        tellPositions();
        fail(cancelled());
      };
      const entry: Waiting = {
        onPosition,
        start: () => {
          signal?.removeEventListener("abort", leave);
          settle();
        },
      };
      if (signal?.aborted === true) return fail(cancelled());
      signal?.addEventListener("abort", leave, { once: true });
      waiting.push(entry);
      onPosition?.(waiting.length - 1);
      startNext();
    });
  return {
    /** Runs a work when its turn has come. */
    run: async <T>(work: () => Promise<T>, options: TurnOptions = {}): Promise<T> => {
      await turn(options);
      try {
        return await work();
      } finally {
        isRunning = false;
        startNext();
      }
    },
    /** How many wait, and how many run. */
    lengths: () => ({ waiting: waiting.length, running: isRunning ? 1 : 0 }),
  };
}
