import { basename } from "node:path";
import { UserError } from "../errors.ts";
import type { Weights } from "../model/graph.ts";
import { SAVE_HINT, printable, unsupported } from "./failures.ts";
import { isSafetensors, readSafetensors } from "./safetensors.ts";
import { isTorchFile, readTorchBytes } from "./torchFile.ts";
import { type TorchTensor, isTensor, weightsOf } from "./torchTensor.ts";
import { readWholeFile } from "./wholeFile.ts";

/** Where checkpoints keep their state dict, in the order of trial. */
const WRAPPERS = ["model_state_dict", "state_dict", "model"] as const;
/** A name that nn.DataParallel puts before every other. */
const PARALLEL_PREFIX = "module.";
/**
 * The weights in a file of torch.save (either format) or safetensors, which of them its bytes say; float32, row-major, under
 * PyTorch's names. A checkpoint around a state dict is seen through. `flag` names where the path came from.
 * @throws UserError E_INPUT_MISSING without the file; E_INPUT_BROKEN for a damaged one; E_LAYOUT for what is no state dict
 */
export async function readStateDict(path: string, flag: string): Promise<Weights> {
  return await stateDictOfBytes(readWholeFile(path, flag), basename(path));
}

/** The same for the bytes of a file; `name` is for messages. */
export async function stateDictOfBytes(bytes: Buffer, name: string): Promise<Weights> {
  if (isSafetensors(bytes)) return withoutPrefix(readSafetensors(bytes, name).weights);
  if (isTorchFile(bytes, name)) return stateDictOf(await readTorchBytes(bytes, name), name);
  throw new UserError(
    "E_INPUT_BROKEN",
    `${name}: must be a file of torch.save or safetensors, begins as neither does`,
    { hint: SAVE_HINT },
  );
}

/**
 * The state dict in a value that readTorchFile gave: the value itself, or what it holds under model_state_dict, state_dict
 * or model; without the "module." of nn.DataParallel. `name` is the file's.
 * @throws UserError E_LAYOUT when there is none, or it holds other things than tensors
 */
export function stateDictOf(value: unknown, name: string): Weights {
  return withoutPrefix(weightsOf(tensorsOf(findStateDict(value, name), name), name));
}

function findStateDict(value: unknown, name: string): ReadonlyMap<unknown, unknown> {
  if (!(value instanceof Map)) throw unsupported(name, "must hold a state dict, holds no dict");
  for (const wrapper of WRAPPERS) {
    const inner: unknown = value.get(wrapper);
    if (inner instanceof Map) return findStateDict(inner, name);
  }
  return value;
}

function tensorsOf(dict: ReadonlyMap<unknown, unknown>, name: string): Map<string, TorchTensor> {
  const tensors = new Map<string, TorchTensor>();
  for (const [key, tensor] of dict) {
    if (typeof key !== "string" || !isTensor(tensor))
      throw unsupported(
        name,
        `must hold a state dict, at the top or under ${WRAPPERS.join(", ")}; there is no tensor ${described(key)}`,
      );
    tensors.set(key, tensor);
  }
  if (tensors.size === 0) throw unsupported(name, "must hold a state dict, holds an empty dict");
  return tensors;
}

function described(key: unknown): string {
  return typeof key === "string" ? `under "${printable(key)}"` : "under a key that is no text";
}

function withoutPrefix(weights: Weights): Weights {
  const entries = [...weights];
  if (!entries.every(([key]) => key.startsWith(PARALLEL_PREFIX))) return weights;
  return new Map(entries.map(([key, weight]) => [key.slice(PARALLEL_PREFIX.length), weight]));
}
