/**
 * Sets up the native TensorFlow binding, which trains several times faster than WebAssembly:
 *
 *     pnpm native-tensorflow            sets it up (again: says that it works)
 *     pnpm native-tensorflow --undo     takes it away
 *
 * It is the addon of the optional package @tensorflow/tfjs-node-gpu. That package's own download is tried first; where it is
 * refused, the libtensorflow inside the Python wheel of TensorFlow is taken (by pip: tensorflow-cpu, or tensorflow with
 * CUDA where there is an NVIDIA GPU), and the addon is compiled against it (g++ and make). Ends by training a step on it.
 */
import { createRequire } from "node:module";
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isMain, root, run, step } from "./setup.mjs";

const TENSORFLOW = "2.21.0";
/** Where the wheel goes. */
const wheels = join(root, ".cache/native-tensorflow");
/**
 * An addon that is loaded before the other: libtensorflow tells of itself on stderr as it is loaded, whatever
 * TF_CPP_MIN_LOG_LEVEL says, so it is loaded here, with stderr held shut.
 */
const QUIET = `#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>
extern "C" __attribute__((visibility("default"))) void* napi_register_module_v1(void*, void* exports) {
  int kept = dup(2), nowhere = open("/dev/null", O_WRONLY);
  dup2(nowhere, 2);
  dlopen(LIBRARY, RTLD_NOW);
  dup2(kept, 2);
  close(kept);
  close(nowhere);
  return exports;
}
`;

if (isMain(import.meta.url)) process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;

async function main(args) {
  if (args.some((arg) => arg !== "--undo")) {
    console.log("usage: pnpm native-tensorflow [--undo]");
    return false;
  }
  const folder = packageFolder();
  if (folder === undefined) {
    console.log("@tensorflow/tfjs-node-gpu is not installed: run node scripts/setup.mjs first");
    return false;
  }
  if (args.includes("--undo")) {
    remove(folder);
    console.log("The native TensorFlow binding is gone; training runs on WebAssembly.");
    return true;
  }
  return setUpNative(folder);
}

/** The folder of the package, or undefined where it could not be installed. */
function packageFolder() {
  try {
    const require = createRequire(join(root, "packages/core/package.json"));
    return dirname(require.resolve("@tensorflow/tfjs-node-gpu/package.json"));
  } catch {
    return undefined;
  }
}

/** Whether the binding has been set up, by this command or by the package itself. */
export function isSetUp() {
  const folder = packageFolder();
  return folder !== undefined && existsSync(join(folder, "lib"));
}

function remove(folder) {
  for (const made of ["deps", "lib", "build", "build-tmp-napi-v8"])
    rmSync(join(folder, made), { recursive: true, force: true });
  rmSync(wheels, { recursive: true, force: true });
}

async function setUpNative(folder) {
  if (isSetUp()) {
    const works = await verify();
    if (works.ok) return said(works, "It is set up already.");
  }
  remove(folder);
  const downloaded = await download(folder);
  if (downloaded.ok) {
    const works = await verify();
    if (works.ok) return said(works, "The package's own libtensorflow was downloaded.");
  }
  remove(folder);
  const hasGpu = (await run("nvidia-smi", ["--list-gpus"], { timeoutMs: 20_000 })).ok;
  const steps = [
    ["wheel", () => installWheel(hasGpu)],
    ["compile", () => compileAddon(folder)],
  ];
  for (const [name, work] of steps)
    if (!(await step(name, work)).ok) {
      remove(folder);
      console.log(
        "The native binding could not be set up; training runs on WebAssembly as before.",
      );
      return false;
    }
  const works = await step("train a step", verify);
  if (!works.ok) remove(folder);
  return (
    works.ok &&
    said(
      works,
      `libtensorflow ${TENSORFLOW} of the Python wheel is used${hasGpu ? ", with CUDA" : ""}.`,
    )
  );
}

/** Says what was done, and what the check found. */
function said(works, what) {
  console.log(
    `${what}\n${works.stdout.trim()}\n--backend auto takes it from now on; pnpm native-tensorflow --undo takes it away.`,
  );
  return true;
}

/** The package's own way: libtensorflow and a prebuilt addon from its host. */
async function download(folder) {
  process.stdout.write(`${"download".padEnd(14)} `);
  const result = await run(
    process.execPath,
    [join(folder, "scripts/install.js"), "gpu", "download"],
    {
      timeoutMs: 600_000,
      cwd: folder,
    },
  );
  const lines = result.output.split("\n").map((line) => line.trim());
  const cause = lines.find((line) => line.includes("Error")) ?? "it did not end";
  console.log(
    result.ok
      ? `ok  ${result.seconds.toFixed(1)} s`
      : `refused (${cause}): the Python wheel instead`,
  );
  return result;
}

function installWheel(hasGpu) {
  const requirement = hasGpu
    ? `tensorflow[and-cuda]==${TENSORFLOW}`
    : `tensorflow-cpu==${TENSORFLOW}`;
  const flags = [
    "--quiet",
    "--disable-pip-version-check",
    "--only-binary",
    ":all:",
    "--target",
    wheels,
  ];
  const all = hasGpu ? [] : ["--no-deps"];
  return run("python3", ["-m", "pip", "install", ...flags, ...all, requirement], {
    timeoutMs: 1_800_000,
  });
}

/** Compiles the addon against the wheel's library and headers, under the names that the addon asks for. */
async function compileAddon(folder) {
  const library = join(wheels, "tensorflow");
  mkdirSync(join(folder, "deps/lib"), { recursive: true });
  symlinkSync(join(library, "include"), join(folder, "deps/include"));
  for (const [name, file] of [
    ["libtensorflow", "libtensorflow_cc.so.2"],
    ["libtensorflow_framework", "libtensorflow_framework.so.2"],
  ])
    for (const link of new Set([`${name}.so`, `${name}.so.2`, file]))
      symlinkSync(join(library, file), join(folder, "deps/lib", link));
  const require = createRequire(join(folder, "package.json"));
  const nodeGyp = (await run("npm", ["config", "get", "node-gyp"])).stdout.trim();
  const headers = dirname(dirname(process.execPath));
  const built = await run(
    process.execPath,
    [require.resolve("@mapbox/node-pre-gyp/bin/node-pre-gyp"), "install", "--build-from-source"],
    {
      cwd: folder,
      timeoutMs: 900_000,
      env: {
        CXXFLAGS: "-std=c++17",
        LDFLAGS: `-Wl,-rpath,${library}`, // from its own folder the library finds CUDA's beside it
        npm_config_node_gyp: nodeGyp,
        ...(existsSync(join(headers, "include/node/node_api.h"))
          ? { npm_config_nodedir: headers }
          : {}),
      },
    },
  );
  if (!built.ok) return built;
  const quiet = await compileQuiet(folder, library);
  return { ...quiet, seconds: built.seconds + quiet.seconds };
}

function compileQuiet(folder, library) {
  const source = join(wheels, "quiet.cc");
  writeFileSync(source, QUIET);
  const target = join(folder, "lib/quiet.node");
  const file = join(library, "libtensorflow_framework.so.2");
  const flags = ["-shared", "-fPIC", "-O1", `-DLIBRARY="${file}"`];
  return run("g++", [...flags, source, "-o", target, "-ldl"], { timeoutMs: 120_000 });
}

/** Trains a step on the binding, in a process of its own. */
function verify() {
  const program = `
    import { loadTensorFlow } from "./packages/core/dist/model/backend.js";
    const { tf, backend, reason } = await loadTensorFlow("tensorflow");
    const weights = tf.variable(tf.fill([8, 2], 0.1));
    const loss = () => tf.mean(tf.square(tf.sub(tf.matMul(tf.ones([4, 8]), weights), 1)));
    const [before, after] = [loss().dataSync()[0], (tf.train.sgd(0.05).minimize(loss), loss().dataSync()[0])];
    if (!(after < before)) throw new Error("a training step did not lower the loss: " + before + " to " + after);
    console.log("Trained a step on the backend " + backend + " (" + reason + "): loss " + before.toFixed(4) + " to " + after.toFixed(4));
  `;
  return run(process.execPath, ["--input-type=module", "--eval", program], { timeoutMs: 120_000 });
}
