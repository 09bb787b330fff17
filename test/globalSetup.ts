import { execFileSync } from "node:child_process";

/** The command-line tests run the built commands: build what changed, once, before them. */
export default function setup(): void {
  execFileSync("node_modules/.bin/tsc", ["-b"], { stdio: "inherit" });
  execFileSync(process.execPath, ["scripts/buildKernel.mjs"], { stdio: "inherit" });
  execFileSync(process.execPath, ["scripts/buildPage.mjs"], { stdio: "inherit" });
}
