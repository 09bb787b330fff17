import { createHash } from "node:crypto";
import { type Graph, type Weights, weightSlots } from "./graph.ts";

/** SHA-256 of the weights one after another, hex, in the order of the network, which is that of weights.bin. */
export function hashOfWeights(graph: Graph, weights: Weights): string {
  const hash = createHash("sha256");
  for (const { name } of weightSlots(graph)) {
    const data = weights.get(name)?.data;
    if (data !== undefined)
      hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}
