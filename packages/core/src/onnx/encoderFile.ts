import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { dirname, join } from "node:path";
import type { Device } from "../devices.ts";
import { UserError } from "../errors.ts";
import type { EncoderInfo } from "../hdf5/encoder.ts";
import { readWholeFile } from "../interop/wholeFile.ts";
import { type OnnxInfo, readOnnxInfo } from "./readInfo.ts";
import { type LoadedRuntime, type Session, createSession, loadOnnxRuntime } from "./session.ts";
import type { StatedSettings } from "./statedSettings.ts";

/** An .onnx file that is an encoder, as the user named it, and what it says of itself. */
export interface EncoderFile {
  readonly path: string;
  readonly flag: string;
  readonly bytes: Uint8Array;
  readonly info: OnnxInfo;
}

/** @throws UserError E_INPUT_MISSING, E_INPUT_BROKEN for a file that is no .onnx file */
export function readEncoderFile(path: string, flag: string): EncoderFile {
  const bytes = readWholeFile(path, flag);
  return { path, flag, bytes, info: readOnnxInfo(bytes, path) };
}

interface StartOptions {
  readonly device: Device;
  /** What is used of all settings, JSON. */
  readonly featureConfig: string;
  /** Where settings come from it, `onNotice` is told. */
  readonly stated: StatedSettings | undefined;
  readonly onNotice: ((line: string) => void) | undefined;
}

/**
 * Makes an encoder ready; its session ends where anything fails.
 * @param probe takes the session, and runs it for the first time, which tells the size of its embeddings
 * @throws UserError E_UNAVAILABLE without ONNX Runtime or the device, E_INPUT_BROKEN when the network cannot be used; what `probe` throws
 */
export async function startEncoder<Probed extends { readonly dim: number }>(
  file: EncoderFile,
  { device, featureConfig, stated, onNotice }: StartOptions,
  probe: (session: Session) => Promise<Probed>,
  runtime = loadOnnxRuntime(),
): Promise<{ readonly info: EncoderInfo; readonly probed: Probed }> {
  const session = await openSession(file, device, runtime);
  try {
    const probed = await probe(session);
    if (stated !== undefined && stated.sources.size > 0)
      onNotice?.(`${file.path}: settings from its ${[...stated.sources].join(" and ")}: ${featureConfig}`); // prettier-ignore
    const weightsSha256 = await hashOfEncoder(file);
    const info = { model: "onnx", weightsSha256, featureConfig, dim: probed.dim };
    return { info, probed };
  } catch (error) {
    await session.dispose();
    throw error;
  }
}

async function openSession(
  { path, flag }: EncoderFile,
  device: Device,
  runtime: LoadedRuntime,
): Promise<Session> {
  if (runtime.ok) return createSession(runtime.ort, path, { device });
  throw new UserError(
    "E_UNAVAILABLE",
    `${flag} ${path}: needs ONNX Runtime, which does not load (${runtime.cause})`,
    { hint: "install onnxruntime-node, which alone runs .onnx files" },
  );
}

/** SHA-256 over the file and, behind it, the files of its weights, which ONNX Runtime has seen to lie beside it. */
async function hashOfEncoder({ path, bytes, info }: EncoderFile): Promise<string> {
  const hash = createHash("sha256").update(bytes);
  for (const name of info.externalFiles)
    for await (const chunk of createReadStream(join(dirname(path), name)))
      hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/**
 * The name of the output that was asked for, or of the first.
 * @throws UserError E_LAYOUT where there is no such output, or it is not float32
 */
export function outputOf({ path, info }: EncoderFile, wanted: string | undefined): string {
  const { outputs } = info;
  const found = wanted === undefined ? outputs[0] : outputs.find(({ name }) => name === wanted);
  if (wanted !== undefined && found === undefined)
    throw new UserError(
      "E_LAYOUT",
      `--output ${wanted}: ${path} has the outputs ${outputs.map(({ name }) => name).join(", ")}`,
      { hint: "name one of these" },
    );
  const { name = "", type } = found ?? {};
  if (type === "float32") return name;
  throw new UserError(
    "E_LAYOUT",
    `${path}: its ${wanted === undefined ? "first output," : "output"} ${name}${wanted === undefined ? "," : ""} must be float32, is ${type}`,
    { hint: "name another with --output, or export the encoder with its embedding as float32" },
  );
}

/** A size that the file states; some exporters write 0 or -1 for one that is left open. */
export function knownSize(size: number | string | undefined): number | undefined {
  return typeof size === "number" && size > 0 ? size : undefined;
}

/** "x [batch,3,224,224] float32", for messages */
export function inputsAsText({ info }: EncoderFile): string {
  const texts = info.inputs.map(({ name, dims, type }) => `${name} [${dims.join(",")}] ${type}`);
  return texts.join(" and ") || "none";
}
