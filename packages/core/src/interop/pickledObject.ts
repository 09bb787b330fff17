import type { PickleInput } from "./pickleInput.ts";

/** A value that a known class makes, before and after BUILD gave it its state. */
export interface PickledObject {
  /**
   * Takes the state that BUILD hands over; returns what stands in the object's place from then on, itself most of the time.
   * `input` stands behind the BUILD: joblib has the values of an array there.
   */
  readonly setState: (state: unknown, input: PickleInput) => unknown;
  /** The values in it, which the check for cycles looks through. */
  readonly parts: () => readonly unknown[];
}

/** Whether a value of a pickle is one. A dict is a Map, so that no key of a file can pass for one of these. */
export function isPickledObject(value: unknown): value is PickledObject {
  return typeof value === "object" && value !== null && "setState" in value && "parts" in value;
}

/** An instance of a Python class: its attributes and nothing that it could do. */
export interface PythonObject extends PickledObject {
  readonly kind: "object";
  /** "module.Class" */
  readonly className: string;
  readonly args: readonly unknown[];
  /** As BUILD gave it: a Map of the attributes, most of the time; undefined where there was none. */
  state: unknown;
}

export function isPythonObject(value: unknown): value is PythonObject {
  return isPickledObject(value) && "kind" in value && value.kind === "object";
}

/** What a pickle's global of a class, "module Class", stands for: a call of it makes an instance. */
export function pythonClass(key: string): (args: readonly unknown[]) => PythonObject {
  const className = key.replace(" ", ".");
  return (args) => {
    const object: PythonObject = {
      kind: "object",
      className,
      args,
      state: undefined,
      setState: (state) => {
        object.state = state;
        return object;
      },
      parts: () => [object.args, object.state],
    };
    return object;
  };
}
