import { runProcess } from "@emotion-service/core/cli/run";
import { createProgram } from "./modelCli.ts";

await runProcess(createProgram);
