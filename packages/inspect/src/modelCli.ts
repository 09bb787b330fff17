import {
  Command,
  type CommandUnknownOpts,
  InvalidArgumentError,
} from "@commander-js/extra-typings";
import { jsonOption, quietOption } from "@emotion-service/core/cli/flags";
import type { CliIo } from "@emotion-service/core/cli/run";

/** The `inspect-model` command; `io` is where it writes. */
export function createProgram(io: CliIo): CommandUnknownOpts {
  return new Command("inspect-model")
    .description(
      "Show what a trained model is: kind, settings, classes, layers with shapes and parameters, weights.",
    )
    .argument(
      "<path>",
      "a folder of train-multimodal, an isolation_forest.json of train-anomaly, an .onnx file, a TensorFlow.js model (its folder or model.json), a PyTorch state dict (.pth, .pt, .safetensors), or a forest of scikit-learn (.joblib, .pkl)",
    )
    .option(
      "--plot <out>",
      "draw the graph of layers, as an .svg or .png file (default: no picture)",
      picturePath,
    )
    .addOption(jsonOption())
    .addOption(quietOption())
    .action(async (path, flags) => {
      const { inspectModel } = await import("./inspectModel.ts");
      const { formatModel } = await import("./formatModel.ts");
      const report = await inspectModel(path, { plot: flags.plot });
      io.stdout.write(`${flags.json ? JSON.stringify(report) : formatModel(report)}\n`);
    });
}

function picturePath(text: string): string {
  if (/\.(svg|png)$/i.test(text)) return text;
  throw new InvalidArgumentError(`must be the name of an .svg or .png file, got '${text}'.`);
}
