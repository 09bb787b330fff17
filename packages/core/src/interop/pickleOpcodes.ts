import { damaged, printable, unsupported } from "./failures.ts";
import { type PickleInput, decimalInteger } from "./pickleInput.ts";
import { isPickledObject } from "./pickledObject.ts";

/** What a pickle may contain besides plain values. */
export interface PickleOptions {
  /** The file's name, for messages. */
  readonly name: string;
  /** What may be in it and how to save just that, for the message about a global that is not known. */
  readonly allowed: { readonly contents: string; readonly hint: string };
  /** The globals that are known, by "module name". REDUCE calls a function with a tuple's values; others are constants. */
  readonly globals: ReadonlyMap<string, unknown>;
  /** The value that a persistent id stands for. */
  readonly persistentLoad: (id: unknown) => unknown;
}

/** The machine that a pickle is a program for (pickletools.py describes each opcode). */
export interface Machine {
  readonly input: PickleInput;
  readonly options: PickleOptions;
  readonly stack: unknown[];
  /** Heights of the stack at its open MARKs. */
  readonly marks: number[];
  readonly memo: Map<number, unknown>;
}

export type Step = (machine: Machine) => void;

function push({ stack }: Machine, value: unknown): void {
  stack.push(value);
}

function requireHeight({ stack, marks, options }: Machine, values: number): void {
  if (stack.length - (marks.at(-1) ?? 0) < values)
    throw damaged(options.name, "an opcode that wants more values than there are");
}

export function pop(machine: Machine): unknown {
  requireHeight(machine, 1);
  return machine.stack.pop();
}

function top(machine: Machine): unknown {
  requireHeight(machine, 1);
  return machine.stack.at(-1);
}

/** The values since the last MARK, which goes too. */
function popToMark({ stack, marks, options }: Machine): unknown[] {
  const mark = marks.pop();
  if (mark === undefined) throw damaged(options.name, "an opcode that wants a MARK, where none is");
  return stack.splice(mark);
}

function tuple(length: number): Step {
  return (machine) => {
    requireHeight(machine, length);
    push(machine, machine.stack.splice(machine.stack.length - length));
  };
}

function append(machine: Machine, values: readonly unknown[]): void {
  const list = top(machine);
  if (!Array.isArray(list)) throw damaged(machine.options.name, "APPEND to what is no list");
  for (const value of values) list.push(value);
}

function setItems(machine: Machine, items: readonly unknown[]): void {
  const dict = top(machine);
  if (!(dict instanceof Map) || items.length % 2 !== 0)
    throw damaged(machine.options.name, "SETITEM on what is no dict, or of half an item");
  for (let i = 0; i < items.length; i += 2) dict.set(items[i], items[i + 1]);
}

function addItems(machine: Machine): void {
  const items = popToMark(machine);
  const set = top(machine);
  if (!(set instanceof Set)) throw damaged(machine.options.name, "ADDITEMS to what is no set");
  for (const item of items) set.add(item);
}

function dictOf(machine: Machine): void {
  const items = popToMark(machine);
  push(machine, new Map());
  setItems(machine, items);
}

function pushGlobal(machine: Machine, module: unknown, name: unknown): void {
  const { globals, allowed, name: file } = machine.options;
  if (typeof module !== "string" || typeof name !== "string")
    throw damaged(file, "a global whose name is no text");
  const key = `${module} ${name}`;
  if (!globals.has(key))
    throw unsupported(
      file,
      `must hold ${allowed.contents} only, refers to the Python global "${printable(key)}"; nothing of it was run`,
      allowed.hint,
    );
  push(machine, globals.get(key));
}

/** Calls a known function; makes an instance of a known class. */
function reduce(machine: Machine): void {
  const values = pop(machine);
  const callable = pop(machine);
  if (typeof callable !== "function" || !Array.isArray(values))
    throw damaged(machine.options.name, "a call of what is no function, or with no tuple");
  push(machine, (callable as (values: readonly unknown[]) => unknown)(values));
}

/** Gives an object its state. Attributes of a dict are dropped: a state dict's `_metadata` is the one that there is. */
function build(machine: Machine): void {
  const state = pop(machine);
  const target = pop(machine);
  if (target instanceof Map) push(machine, target);
  else if (isPickledObject(target)) push(machine, target.setState(state, machine.input));
  else throw unsupported(machine.options.name, "sets attributes (BUILD) of what has none");
}

function boolOrInteger(machine: Machine): void {
  const line = machine.input.line();
  if (line === "00" || line === "01") push(machine, line === "01");
  else push(machine, decimalInteger(line, machine.options.name));
}

function remember(machine: Machine, index: number): void {
  machine.memo.set(index, top(machine));
}

function recall(machine: Machine, index: number): void {
  if (!machine.memo.has(index))
    throw damaged(machine.options.name, `a reference to the memo's ${index}, which is not there`);
  push(machine, machine.memo.get(index));
}

function requireProtocol({ input, options }: Machine): void {
  const protocol = input.unsigned(1);
  if (protocol > 5) throw unsupported(options.name, `pickle protocol ${protocol} is not known`);
}

/** A frame says how many bytes follow it; they are checked one by one all the same. */
function requireFrame({ input, options }: Machine): void {
  const length = input.unsigned(8);
  if (length > input.left()) throw damaged(options.name, `a frame of ${length} bytes`);
}

/** The opcodes that torch and joblib write, in protocols 1 to 5. */
export const STEPS: ReadonlyMap<number, Step> = new Map<number, Step>([
  [0x80, requireProtocol], // PROTO
  [0x95, requireFrame], // FRAME
  [ascii("("), ({ marks, stack }) => void marks.push(stack.length)], // MARK
  [ascii("N"), (m) => push(m, null)], // NONE
  [0x88, (m) => push(m, true)], // NEWTRUE
  [0x89, (m) => push(m, false)], // NEWFALSE
  [ascii("I"), boolOrInteger], // INT
  [ascii("L"), (m) => push(m, decimalInteger(m.input.line().replace(/L$/, ""), m.options.name))], // LONG
  [ascii("J"), (m) => push(m, m.input.int32())], // BININT
  [ascii("K"), (m) => push(m, m.input.unsigned(1))], // BININT1
  [ascii("M"), (m) => push(m, m.input.unsigned(2))], // BININT2
  [0x8a, (m) => push(m, m.input.integer(m.input.unsigned(1)))], // LONG1
  [0x8b, (m) => push(m, m.input.integer(m.input.unsigned(4)))], // LONG4
  [ascii("G"), (m) => push(m, m.input.float64())], // BINFLOAT
  [ascii("T"), (m) => push(m, m.input.text(m.input.unsigned(4)))], // BINSTRING
  [ascii("U"), (m) => push(m, m.input.text(m.input.unsigned(1)))], // SHORT_BINSTRING
  [ascii("X"), (m) => push(m, m.input.text(m.input.unsigned(4)))], // BINUNICODE
  [0x8c, (m) => push(m, m.input.text(m.input.unsigned(1)))], // SHORT_BINUNICODE
  [0x8d, (m) => push(m, m.input.text(m.input.unsigned(8)))], // BINUNICODE8
  [ascii("B"), (m) => push(m, m.input.take(m.input.unsigned(4)).slice())], // BINBYTES
  [ascii("C"), (m) => push(m, m.input.take(m.input.unsigned(1)).slice())], // SHORT_BINBYTES
  [0x8e, (m) => push(m, m.input.take(m.input.unsigned(8)).slice())], // BINBYTES8
  [0x96, (m) => push(m, m.input.take(m.input.unsigned(8)).slice())], // BYTEARRAY8
  [ascii("]"), (m) => push(m, [])], // EMPTY_LIST
  [ascii("l"), (m) => push(m, popToMark(m))], // LIST
  [ascii("a"), (m) => append(m, [pop(m)])], // APPEND
  [ascii("e"), (m) => append(m, popToMark(m))], // APPENDS
  [ascii(")"), (m) => push(m, [])], // EMPTY_TUPLE
  [ascii("t"), (m) => push(m, popToMark(m))], // TUPLE
  [0x85, tuple(1)], // TUPLE1
  [0x86, tuple(2)], // TUPLE2
  [0x87, tuple(3)], // TUPLE3
  [ascii("}"), (m) => push(m, new Map())], // EMPTY_DICT
  [ascii("d"), dictOf], // DICT
  [ascii("s"), (m) => setItems(m, [pop(m), pop(m)].reverse())], // SETITEM
  [ascii("u"), (m) => setItems(m, popToMark(m))], // SETITEMS
  [0x8f, (m) => push(m, new Set())], // EMPTY_SET
  [0x90, addItems], // ADDITEMS
  [0x91, (m) => push(m, new Set(popToMark(m)))], // FROZENSET
  [ascii("q"), (m) => remember(m, m.input.unsigned(1))], // BINPUT
  [ascii("r"), (m) => remember(m, m.input.unsigned(4))], // LONG_BINPUT
  [0x94, (m) => remember(m, m.memo.size)], // MEMOIZE
  [ascii("h"), (m) => recall(m, m.input.unsigned(1))], // BINGET
  [ascii("j"), (m) => recall(m, m.input.unsigned(4))], // LONG_BINGET
  [ascii("c"), (m) => pushGlobal(m, m.input.line(), m.input.line())], // GLOBAL
  [0x93, (m) => pushGlobal(m, ...([pop(m), pop(m)].reverse() as [unknown, unknown]))], // STACK_GLOBAL
  [ascii("R"), reduce], // REDUCE
  [0x81, reduce], // NEWOBJ
  [ascii("b"), build], // BUILD
  [ascii("Q"), (m) => push(m, m.options.persistentLoad(pop(m)))], // BINPERSID
]);

/** Opcodes of pickles that hold other things. */
export const REFUSED: ReadonlyMap<number, string> = new Map([
  [ascii("0"), "POP"],
  [ascii("1"), "POP_MARK"],
  [ascii("2"), "DUP"],
  [ascii("F"), "FLOAT"],
  [ascii("P"), "PERSID"],
  [ascii("S"), "STRING"],
  [ascii("V"), "UNICODE"],
  [ascii("g"), "GET"],
  [ascii("i"), "INST"],
  [ascii("o"), "OBJ"],
  [ascii("p"), "PUT"],
  [0x82, "EXT1"],
  [0x83, "EXT2"],
  [0x84, "EXT4"],
  [0x92, "NEWOBJ_EX"],
  [0x97, "NEXT_BUFFER"],
  [0x98, "READONLY_BUFFER"],
]);

/** Those that make a value with values in it, or may. */
export const CONTAINERS: ReadonlySet<number> = new Set([
  ...["]", "l", ")", "t", "}", "d", "R"].map(ascii),
  0x81,
  0x85,
  0x86,
  0x87,
  0x8f,
  0x91,
]);

function ascii(character: string): number {
  return character.charCodeAt(0);
}
