import { damaged, unsupported } from "./failures.ts";
import { createPickleInput } from "./pickleInput.ts";
import {
  CONTAINERS,
  type Machine,
  type PickleOptions,
  REFUSED,
  STEPS,
  pop,
} from "./pickleOpcodes.ts";
import { isPickledObject } from "./pickledObject.ts";

export interface Pickled {
  readonly value: unknown;
  /** Where the pickle ends in the bytes: behind its STOP. */
  readonly end: number;
}

/** Containers in one another that are read; a checkpoint has five or so, a forest ten. */
const DEEPEST = 100;
/** What a pickle may do, so that one that was made for it cannot fill the memory; a tree of a forest takes 200 and 40. */
const MOST_OPCODES = 2_500_000;
const MOST_CONTAINERS = 250_000;
const STOP = 0x2e;

/** Opcodes and containers so far; pickles that lie in one another share one. */
export interface PickleWork {
  opcodes: number;
  containers: number;
}

/**
 * Reads the pickle at `start` without running anything: known globals only, each by its exact name. None, bool, int, float,
 * str, bytes become null, boolean, number (bigint beyond 2^53), string, Uint8Array; list and tuple become arrays, dict a Map,
 * set a Set; what a known global makes is as it is. One object that is referred to twice is one object here too.
 * @throws UserError E_INPUT_BROKEN for bytes that are no pickle; E_LAYOUT for a global, an opcode, a cycle or a size that is
 *   refused
 */
export function readPickle(
  bytes: Uint8Array,
  start: number,
  options: PickleOptions,
  work: PickleWork = { opcodes: 0, containers: 0 },
): Pickled {
  const input = createPickleInput(bytes, start, options.name);
  const machine: Machine = { input, options, stack: [], marks: [], memo: new Map() };
  for (let byte = input.unsigned(1); byte !== STOP; byte = input.unsigned(1)) {
    const step = STEPS.get(byte);
    if (step === undefined) throw unknownOpcode(byte, options.name);
    count(work, byte, options.name);
    step(machine);
  }
  const value = pop(machine);
  requireTree(value, options.name);
  return { value, end: input.position() };
}

function count(work: PickleWork, byte: number, name: string): void {
  work.opcodes += 1;
  if (CONTAINERS.has(byte)) work.containers += 1;
  if (work.opcodes > MOST_OPCODES || work.containers > MOST_CONTAINERS)
    throw unsupported(
      name,
      `must hold at most ${MOST_CONTAINERS} lists, dicts and objects in ${MOST_OPCODES} steps, holds more`,
    );
}

function unknownOpcode(byte: number, name: string): Error {
  const hex = `0x${byte.toString(16).padStart(2, "0")}`;
  const refused = REFUSED.get(byte);
  return refused === undefined
    ? damaged(name, `${hex} is no opcode of a pickle`)
    : unsupported(name, `the pickle opcode ${refused} (${hex}) is not read: no model needs it`);
}

/** Refuses cycles and bottomless nesting, so that whoever walks through the value comes to an end. */
function requireTree(root: unknown, name: string): void {
  const heights = new Map<unknown, number>();
  const open = new Set<unknown>(); // what the value being looked at lies in
  const requireDepth = (below: number): void => {
    if (open.size + below > DEEPEST)
      throw unsupported(name, `holds lists or dicts nested more than ${DEEPEST} deep`);
  };
  const heightOf = (value: unknown): number => {
    const parts = partsOf(value);
    if (parts === undefined) return 0;
    if (open.has(value)) throw unsupported(name, "holds a list or dict that contains itself");
    const known = heights.get(value);
    requireDepth(known ?? 1);
    if (known !== undefined) return known;
    open.add(value);
    let tallest = 0;
    for (const part of parts) tallest = Math.max(tallest, heightOf(part));
    open.delete(value);
    heights.set(value, tallest + 1);
    return tallest + 1;
  };
  heightOf(root);
}

function partsOf(value: unknown): Iterable<unknown> | undefined {
  if (Array.isArray(value) || value instanceof Set) return value as Iterable<unknown>;
  if (value instanceof Map) return keysAndValues(value);
  return isPickledObject(value) ? value.parts() : undefined;
}

function* keysAndValues(map: ReadonlyMap<unknown, unknown>): Generator<unknown, void> {
  yield* map.keys();
  yield* map.values();
}
