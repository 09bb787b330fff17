/** Every check, from a bare clone: `npm run verify`. The last line counts them. */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { isSetUp } from "./nativeTensorflow.mjs";
import { compile, install, isMain, nodeProblem, root, run, step } from "./setup.mjs";

const reportPath = join(root, "node_modules/.cache/verify/vitest.json");
const pythonFolder = join(root, ".cache/python");
/** Our own Python's interpreter. */
const ours = join(pythonFolder, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
const PIP_INSTALL = [
  "-m",
  "pip",
  "install",
  "--quiet",
  "--disable-pip-version-check",
  "--retries",
  "1",
  "--timeout",
  "10",
  "--only-binary",
  ":all:",
];

/** What distributions call Chromium. */
const CHROMIUM_NAMES = ["chromium", "chromium-browser", "google-chrome"];
/** A mirror that does not answer is left soon; what is being installed is given its time. */
const APT = ["-qq", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=10"];

const NATIVE_TESTS = "test/native.test.ts";

if (isMain(import.meta.url)) process.exitCode = (await verify()) ? 0 : 1;

async function verify() {
  const problem = nodeProblem();
  if (problem !== undefined) console.log(problem);
  if (problem !== undefined || !(await step("install", install)).ok)
    return sumUp({ passed: 0, failed: 1, skipped: 0 });
  const checks = [
    await step("type check", compile),
    await step("lint", () => run("oxlint", ["--type-aware", "--deny-warnings"])),
    await step("unused code", () => run("knip", ["--no-progress"])),
    await step("format", () => run("oxfmt", ["--check", "."])),
  ];
  const python = await step("h5py", findPython);
  if (python.interpreter === undefined)
    console.log(`SKIPPED: h5py read-back (no Python with h5py: ${python.cause})`);
  const onnx = await step("onnx", () => findOnnx(python.interpreter));
  if (onnx.cause !== undefined)
    console.log(`SKIPPED: ONNX check (no Python with onnx and onnxruntime: ${onnx.cause})`);
  const chromium = await step("chromium", findChromium);
  if (chromium.cause !== undefined)
    console.log(`SKIPPED: tests of the page (no Chromium: ${chromium.cause})`);
  const tests = await runTests("tests", python.interpreter, ["--exclude", NATIVE_TESTS]);
  const native = await testNative(python.interpreter);
  const passed = checks.filter(({ ok }) => ok).length;
  return sumUp({
    passed: tests.passed + native.passed + passed,
    failed: tests.failed + native.failed + checks.length - passed,
    skipped: tests.skipped + native.skipped,
  });
}

/** What needs the native TensorFlow binding: it is set up for it where it can be, and taken away again. */
async function testNative(python) {
  const script = join(root, "scripts/nativeTensorflow.mjs");
  const wasThere = isSetUp();
  const answer = createAnswer();
  const setUp = await step("native", async () => {
    const { ok, output } = await run(process.execPath, [script], { timeoutMs: 400_000 });
    return answer(ok ? { works: true } : { word: "none", cause: output.trim() });
  });
  if (!setUp.works) console.log(`SKIPPED: native TensorFlow (${setUp.cause})`);
  const tests = setUp.works
    ? await runTests("native tests", python, [NATIVE_TESTS])
    : { passed: 0, failed: 0, skipped: 1 };
  if (setUp.works && !wasThere) await run(process.execPath, [script, "--undo"]);
  return tests;
}

/** Prints the last line; true when nothing failed. */
function sumUp({ passed, failed, skipped }) {
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  return failed === 0;
}

/** Runs vitest, and counts by its JSON report: what could not even be counted is a failure. */
async function runTests(name, python, which) {
  rmSync(reportPath, { force: true });
  mkdirSync(dirname(reportPath), { recursive: true });
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportPath}`];
  const args = ["run", ...reporters, ...which];
  const env = { EMOTION_SERVICE_PYTHON: python ?? "" };
  const result = await step(name, () => run("vitest", args, { env }));
  const report = existsSync(reportPath) ? JSON.parse(readFileSync(reportPath, "utf8")) : undefined;
  const { skippedNames, ...counts } = countTests(report, result.ok);
  if (skippedNames.length > 0) console.log(`SKIPPED: ${skippedNames.join("\n         ")}`);
  return counts;
}

/** Of a test or a test file in the report. */
function isFailed({ status }) {
  return status === "failed";
}

/**
 * Counts by vitest's JSON report. A file that broke before its tests ran is a failure; so is a run that ended badly
 * without saying why, or that ran no test.
 */
export function countTests(report, endedWell) {
  const files = report?.testResults ?? [];
  const tests = files.flatMap((file) => file.assertionResults);
  const brokenFiles = files.filter(
    (file) => isFailed(file) && !file.assertionResults.some(isFailed),
  );
  const skippedNames = tests
    .filter((test) => !isFailed(test) && test.status !== "passed")
    .map((test) => test.fullName);
  const passed = tests.filter(({ status }) => status === "passed").length;
  const failed = tests.filter(isFailed).length + brokenFiles.length;
  const isUnexplained = failed === 0 && (!endedWell || passed === 0);
  return { passed, failed: isUnexplained ? 1 : failed, skipped: skippedNames.length, skippedNames };
}

/**
 * Looks for a Python with h5py, to read our files back with the library that the Python service uses: the one named in
 * EMOTION_SERVICE_PYTHON, ours in .cache/python, else tries to make that. Optional, so it never fails the run.
 */
async function findPython() {
  const answer = createAnswer();
  for (const interpreter of [process.env.EMOTION_SERVICE_PYTHON, ours])
    if (interpreter && (await importsH5py(interpreter)).ok)
      return answer({ interpreter, word: "found" });
  const cause = await makePython();
  if (cause === undefined) return answer({ interpreter: ours, word: "installed" });
  return answer({ word: "none", cause });
}

/**
 * Sees whether that Python has onnx and onnxruntime, to check the networks that we write; installs them in ours, never in
 * another one. Optional too.
 */
async function findOnnx(interpreter) {
  const answer = createAnswer();
  if (interpreter === undefined) return answer({ word: "none", cause: "no Python" });
  const check = ["-c", "import onnx, onnxruntime"];
  const found = await run(interpreter, check, { timeoutMs: 30_000 });
  if (found.ok) return answer({ word: "found" });
  const getThem = [...PIP_INSTALL, "onnx", "onnxruntime"];
  const cause =
    interpreter === ours
      ? await firstFailure([
          [ours, getThem, 180_000],
          [ours, check, 30_000],
        ])
      : lastLine(found, interpreter);
  return answer(cause === undefined ? { word: "installed" } : { word: "none", cause });
}

/**
 * Looks for a Chromium to test the page in: the one named in CHROMIUM_PATH, one on PATH, else, as root on Debian (most
 * containers), installs it. Optional too.
 */
async function findChromium() {
  const answer = createAnswer();
  const named = process.env.CHROMIUM_PATH;
  for (const name of named ? [named] : CHROMIUM_NAMES)
    if ((await run(name, ["--version"], { timeoutMs: 30_000 })).ok)
      return answer({ word: "found" });
  if (named) return answer({ word: "none", cause: `CHROMIUM_PATH, ${named}, does not run` });
  if (process.getuid?.() !== 0 || !existsSync("/etc/debian_version"))
    return answer({ word: "none", cause: "install it, or name it in CHROMIUM_PATH" });
  const cause = await firstFailure([
    ["apt-get", ["update", ...APT], 60_000],
    ["apt-get", ["install", "-y", "--no-install-recommends", ...APT, "chromium"], 300_000],
    ["chromium", ["--version"], 30_000],
  ]);
  return answer(cause === undefined ? { word: "installed" } : { word: "none", cause });
}

/** What an optional step answers: it is well whatever it found, and took as long as it took. */
function createAnswer() {
  const started = performance.now();
  return (found) => ({
    ok: true,
    output: "",
    seconds: (performance.now() - started) / 1000,
    ...found,
  });
}

function importsH5py(interpreter) {
  return run(interpreter, ["-c", "import h5py, numpy"], { timeoutMs: 30_000 });
}

/** Makes .cache/python with h5py; returns why that failed, or undefined. */
async function makePython() {
  rmSync(pythonFolder, { recursive: true, force: true });
  const cause = await firstFailure([
    ["python3", ["-m", "venv", pythonFolder], 60_000],
    [ours, [...PIP_INSTALL, "h5py", "numpy"], 120_000],
    [ours, ["-c", "import h5py, numpy"], 30_000],
  ]);
  if (cause !== undefined) rmSync(pythonFolder, { recursive: true, force: true });
  return cause;
}

/** Runs programs until one fails; returns the last line of what that said, or undefined. */
async function firstFailure(attempts) {
  for (const [program, args, timeoutMs] of attempts) {
    const result = await run(program, args, { timeoutMs });
    if (!result.ok) return lastLine(result, program);
  }
  return undefined;
}

function lastLine({ output }, program) {
  return output.trim().split("\n").at(-1) || `${program} failed`;
}
