import { runProcess } from "@emotion-service/core/cli/run";
import { createProgram } from "./cli.ts";

await runProcess(createProgram);
