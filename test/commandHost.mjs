/** A process that stays, and runs the built commands that it is sent, one after the other: see runCommand. */
import { runCli } from "../packages/core/dist/cli/run.js";

process.env["ORT_DISABLE_TELEMETRY"] ??= "1"; // as runProcess has it
process.on("message", async ({ cli, args, cwd }) => {
  const said = { stdout: "", stderr: "" };
  const streamOf = (name) => ({ write: (text) => ((said[name] += text), true) });
  const io = { stdout: streamOf("stdout"), stderr: streamOf("stderr") };
  process.chdir(cwd);
  const { createProgram } = await import(cli);
  const exitCode = await runCli(createProgram(io), args, io); // a fault ends this process: no answer
  process.send({ exitCode, ...said });
});
