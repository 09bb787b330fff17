import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { UserError, causeOf } from "../errors.ts";
import { requireFile, statOf } from "../files/listFiles.ts";
import { withOutputs } from "../files/outputs.ts";
import { download } from "./download.ts";

/** Weights that somebody publishes. */
export interface PublishedWeights {
  /** PyTorch's kind of name: NAME-HASH.EXTENSION, the hash being the first 8 or more digits of the file's SHA-256. */
  readonly fileName: string;
  readonly url: string;
}

export const RESNET18_WEIGHTS: PublishedWeights = {
  fileName: "resnet18-f37072fd.pth",
  url: "https://download.pytorch.org/models/resnet18-f37072fd.pth",
};

export interface FindWeightsOptions {
  readonly published: PublishedWeights;
  /** The file of --weights, which is taken as it is. */
  readonly explicit?: string | undefined;
  /** TORCH_HOME, EMOTION_SERVICE_CACHE, XDG_CACHE_HOME, HOME (or USERPROFILE) and the proxies' variables are looked at. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onNotice?: ((text: string) => void) | undefined;
  /** Bytes downloaded so far, and in all where the server says so. */
  readonly onProgress?: ((received: number, total: number | undefined) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** A server that sends nothing for so long is given up; 30. */
  readonly silenceSeconds?: number | undefined;
}

export interface FoundWeights {
  readonly path: string;
  /** Of the whole file, 64 hexadecimal digits. */
  readonly sha256: string;
  readonly source: "flag" | "torch cache" | "cache" | "download";
}

/**
 * Finds published weights: the file of --weights; PyTorch's hub cache; our cache; else they are downloaded into ours. All but
 * the first must have the hash that is in their name.
 * @throws UserError E_INPUT_MISSING without the --weights file; E_INPUT_BROKEN for a cached file with another hash, which stays
 *   as it is; E_UNAVAILABLE when they can be had nowhere; E_ABORTED; E_OUTPUT
 */
export async function findWeights(options: FindWeightsOptions): Promise<FoundWeights> {
  const { published, explicit, env } = options;
  if (explicit !== undefined) {
    requireFile(explicit, "--weights");
    return { path: explicit, sha256: await sha256Of(explicit), source: "flag" };
  }
  const places = cacheFolders(env).map(({ folder, source }) => ({
    path: join(folder, published.fileName),
    source,
  }));
  for (const { path, source } of places) {
    if (statOf(path)?.isFile() !== true) continue;
    const sha256 = await sha256Of(path);
    refuseOtherHash(path, sha256, published.fileName);
    return { path, sha256, source };
  }
  const target = places.find(({ source }) => source === "cache")?.path;
  const tried = places.map(({ path }) => path);
  if (target === undefined)
    throw unavailable(published, tried, "no folder to keep them in: HOME is not set", env);
  return await downloadWeights(target, tried, options);
}

/** PyTorch's rule for its cache (torch.hub.get_dir), and ours. */
function cacheFolders(
  env: FindWeightsOptions["env"],
): { folder: string; source: "torch cache" | "cache" }[] {
  const set = (name: string): string | undefined => (env[name] === "" ? undefined : env[name]);
  const home = set("HOME") ?? set("USERPROFILE");
  const fromHome = (path: string): string =>
    home !== undefined && /^~(?=[/\\]|$)/.test(path) ? join(home, path.slice(1)) : path;
  const xdg = set("XDG_CACHE_HOME") ?? (home && join(home, ".cache"));
  const torch = set("TORCH_HOME") ?? (xdg && join(xdg, "torch"));
  const ours = set("EMOTION_SERVICE_CACHE") ?? (xdg && join(xdg, "emotion-service"));
  return [
    ...(torch
      ? [{ folder: fromHome(join(torch, "hub", "checkpoints")), source: "torch cache" } as const]
      : []),
    ...(ours ? [{ folder: fromHome(ours), source: "cache" } as const] : []),
  ];
}

async function downloadWeights(
  target: string,
  tried: readonly string[],
  options: FindWeightsOptions,
): Promise<FoundWeights> {
  const { published, env, onNotice, onProgress, signal, silenceSeconds = 30 } = options;
  onNotice?.(`${published.fileName}: downloading from ${published.url} to ${target}, once`);
  const sha256 = await withOutputs(async (outputs) => {
    const temporary = outputs.stage(target);
    const hash = await download(published.url, temporary, {
      onProgress,
      signal,
      silenceSeconds,
    }).catch((error: unknown) => {
      throw error instanceof UserError
        ? error
        : unavailable(published, tried, reasonOf(error), env);
    });
    if (!hasHash(hash, published.fileName))
      throw unavailable(
        published,
        tried,
        `what came has the SHA-256 ${hash}, which its name denies`,
        env,
      );
    return hash;
  });
  return { path: target, sha256, source: "download" };
}

/** fetch says "fetch failed" or "terminated", and what happened in the cause below. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : "";
  return `${causeOf(cause) || "the connection failed"}${code}`;
}

function unavailable(
  { fileName, url }: PublishedWeights,
  tried: readonly string[],
  reason: string,
  env: FindWeightsOptions["env"],
): UserError {
  const proxied = ["HTTPS_PROXY", "https_proxy"].some((name) => (env[name] ?? "") !== "");
  const proxy = proxied ? "; the proxy in HTTPS_PROXY is not used for it" : "";
  return new UserError(
    "E_UNAVAILABLE",
    `${fileName}: must be in a cache or come by download; not at ${tried.join(", ")}; ${url}: ${reason}${proxy}`,
    {
      hint: `get ${url} another way and name the file with --weights, or put it at one of these places; --weights random takes random ones, good for a trial only`,
    },
  );
}

function refuseOtherHash(path: string, sha256: string, fileName: string): void {
  if (hasHash(sha256, fileName)) return;
  throw new UserError(
    "E_INPUT_BROKEN",
    `${path}: its SHA-256 must begin with the digits in its name, is ${sha256}`,
    {
      hint: "the file is cut short or another: remove it, then the published one is downloaded; or name yours with --weights",
    },
  );
}

/** PyTorch's rule (torch.hub.load_state_dict_from_url): a name ends in "-", the hash's first digits, an extension. */
function hasHash(sha256: string, fileName: string): boolean {
  const [, digits] = /-([0-9a-f]{8,64})\.[^.]*$/.exec(fileName) ?? [];
  return digits !== undefined && sha256.startsWith(digits);
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 }))
      hash.update(chunk as Buffer);
  } catch (error) {
    throw new UserError("E_INPUT_BROKEN", `${path}: cannot be read (${causeOf(error)})`, {
      cause: error,
    });
  }
  return hash.digest("hex");
}
