import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { jsonOption, quietOption } from "@emotion-service/core/cli/flags";
import type { CliIo } from "@emotion-service/core/cli/run";

/** The `inspect-model` command; `io` is where it writes. */
export function createProgram(io: CliIo): CommandUnknownOpts {
  return new Command("inspect-model")
    .description(
      "Show what a trained model is: kind, classes, encoders, settings, metrics, weights.",
    )
    .argument(
      "<path>",
      "a folder of train-multimodal, an isolation_forest.json of train-anomaly, an .onnx file, or a PyTorch state dict (.pth, .pt, .safetensors)",
    )
    .addOption(jsonOption())
    .addOption(quietOption())
    .action(async (path, flags) => {
      const { inspectModel } = await import("./inspectModel.ts");
      const { formatModel } = await import("./formatModel.ts");
      const report = await inspectModel(path);
      io.stdout.write(`${flags.json ? JSON.stringify(report) : formatModel(report)}\n`);
    });
}
