import { runProcess } from "@emotion-service/core/cli/run";
import { createProgram } from "./h5Cli.ts";

await runProcess(createProgram);
