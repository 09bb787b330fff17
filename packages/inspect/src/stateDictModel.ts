import { readStateDict } from "@emotion-service/core/interop/stateDict";
import { type LayerFacts, type ModelReport, type WeightFacts, valuesOf } from "./modelReport.ts";
import { fusionFacts } from "./pythonModels.ts";

/** What PyTorch's modules keep beside parameters (nn.Module.register_buffer), by the ends of their names. */
const BUFFERS = /(^|\.)(running_mean|running_var|num_batches_tracked)$/;

/** A PyTorch state dict: tensors under the names of the modules that have them, without what the modules are and their order. */
export async function stateDictReport(path: string): Promise<ModelReport> {
  const weights = [...(await readStateDict(path, "<path>"))].map(([name, { shape }]) => ({
    name,
    shape,
    dtype: "read as float32",
  }));
  const fusion = await fusionFacts(path);
  return {
    path,
    kind: fusion === undefined ? "PyTorch state dict" : "fusion classifier (PyTorch)",
    facts: fusion ?? {},
    layers: modulesOf(weights),
    weights,
    parameters: valuesOf(weights),
    trainable: valuesOf(weights.filter(({ name }) => !BUFFERS.test(name))),
    problems: [],
  };
}

/** A module for all tensors of one prefix, in the order of the first of each. */
function modulesOf(weights: readonly WeightFacts[]): LayerFacts[] {
  const modules = new Map<string, WeightFacts[]>();
  for (const weight of weights) {
    const name = weight.name.slice(0, Math.max(0, weight.name.lastIndexOf(".")));
    modules.set(name, [...(modules.get(name) ?? []), weight]);
  }
  return [...modules].map(([name, own]) => ({
    name,
    kind: "module",
    inputs: [],
    shape: null,
    parameters: valuesOf(own),
    settings: {},
  }));
}
