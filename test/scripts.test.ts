import { execFileSync } from "node:child_process";
import { resolve } from "node:path";
import { expect, it } from "vitest";

/** What a function of a script, which is plain JavaScript, returns for these arguments. */
function call(script: string, name: string, ...args: readonly unknown[]): unknown {
  const program = `import { ${name} } from "./scripts/${script}"; console.log(JSON.stringify(${name}(...${JSON.stringify(args)})) ?? "null")`;
  const cwd = resolve(import.meta.dirname, "..");
  return JSON.parse(
    execFileSync(process.execPath, ["--input-type=module", "-e", program], {
      cwd,
      encoding: "utf8",
    }),
  );
}

it.each(["20.19.0", "24.1.0"])("set-up takes Node %s", (version) => {
  expect(call("setup.mjs", "nodeProblem", version)).toBeNull();
});

it.each(["18.20.8", "20.18.3"])("set-up refuses Node %s and names what it needs", (version) => {
  expect(call("setup.mjs", "nodeProblem", version)).toMatch(
    `Node ${version} is too old: emotion-service needs Node 20.19 or newer`,
  );
});

const file = (status: string, ...tests: readonly string[]) => ({
  status,
  assertionResults: tests.map((test) => ({ status: test, fullName: "a test" })),
});

it.each([
  ["all passed", [file("passed", "passed", "passed")], true, { passed: 2, failed: 0, skipped: 0 }],
  ["one failed", [file("failed", "passed", "failed")], false, { passed: 1, failed: 1, skipped: 0 }],
  [
    "one skipped, one to do",
    [file("passed", "passed", "skipped", "todo")],
    true,
    { passed: 1, failed: 0, skipped: 2 },
  ],
  [
    "a file that cannot be loaded",
    [file("passed", "passed"), file("failed")],
    false,
    { passed: 1, failed: 1, skipped: 0 },
  ],
  [
    "a bad end that no test explains",
    [file("passed", "passed")],
    false,
    { passed: 1, failed: 1, skipped: 0 },
  ],
  ["no test at all", [], true, { passed: 0, failed: 1, skipped: 0 }],
])("verify counts %s", (_name, testResults, endedWell, expected) => {
  expect(call("verify.mjs", "countTests", { testResults }, endedWell)).toMatchObject(expected);
});

it("verify counts a run without a report as a failure", () => {
  expect(call("verify.mjs", "countTests", null, false)).toMatchObject({ passed: 0, failed: 1 });
});
