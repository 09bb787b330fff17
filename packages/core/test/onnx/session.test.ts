import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createGraphBuilder } from "@emotion-service/core/model/graph";
import { exportGraph } from "@emotion-service/core/onnx/exportGraph";
import { DATA_TYPES } from "@emotion-service/core/onnx/model";
import { type OnnxRuntime, createSession } from "@emotion-service/core/onnx/session";
import { writeOnnx } from "@emotion-service/core/onnx/writeModel";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../../test/command.ts";
import { FACTS, runtime } from "./compare.ts";

/** y = relu(x), [batch, 2] */
function reluFile(): Uint8Array {
  const net = createGraphBuilder();
  const graph = net.build(net.relu("r", net.input("x", [null, 2])));
  return exportGraph(graph, new Map(), { ...FACTS, outputs: [{ name: "y", layer: "r" }] });
}

const INPUT = { x: { data: Float32Array.of(-1, 2, 3, -4), dims: [2, 2] } };

describe.skipIf(!runtime.ok)("a session of ONNX Runtime", () => {
  const { ort } = runtime as { readonly ort: OnnxRuntime };

  it.each([{}, { threads: 1 }, { threads: 2, device: "cpu" as const }])(
    "runs a file and bytes, %j",
    async (settings) => {
      const path = join(temporaryFolder(), "relu.onnx");
      writeFileSync(path, reluFile());
      for (const model of [path, reluFile()]) {
        const session = await createSession(ort, model, settings);
        const { y } = await session.run(INPUT);
        expect(y).toEqual({ data: Float32Array.of(0, 2, 3, 0), dims: [2, 2] });
        await session.dispose();
      }
    },
  );

  it("refuses what is no model, as the user named it", async () => {
    const path = join(temporaryFolder(), "no.onnx");
    writeFileSync(path, "no model");
    await expect(createSession(ort, path)).rejects.toMatchObject({
      code: "E_INPUT_BROKEN",
      message: expect.stringContaining(`${path}: cannot be used (`) as unknown,
    });
    await expect(createSession(ort, Uint8Array.of(1, 2, 3))).rejects.toMatchObject({
      code: "E_INPUT_BROKEN",
    });
  });

  /** ONNX Runtime as it is where a device is not known, or is known and does not start. */
  const withBackends = (names: readonly string[], start: () => Promise<never>): OnnxRuntime => ({
    Tensor: ort.Tensor,
    env: ort.env,
    InferenceSession: { create: start },
    listSupportedBackends: () => names.map((name) => ({ name, bundled: true })),
  });

  it("never takes another device than the one asked for", async () => {
    const start = () => Promise.reject(new Error("no driver\nat line 3"));
    const lacking = createSession(withBackends(["cpu"], start), reluFile(), { device: "webgpu" });
    await expect(lacking).rejects.toMatchObject({
      code: "E_UNAVAILABLE",
      message: "the device webgpu: this ONNX Runtime has cpu",
      hint: expect.stringContaining("use the device cpu") as unknown,
    });
    const broken = createSession(withBackends(["cpu", "cuda"], start), reluFile(), {
      device: "cuda",
    });
    await expect(broken).rejects.toMatchObject({
      code: "E_UNAVAILABLE",
      message: "the device cuda: does not start (no driver)",
      hint: expect.stringContaining("CUDA") as unknown,
    });
  });

  it("takes bytes, and says which sizes it does not take", async () => {
    const net = createGraphBuilder();
    const graph = net.build(net.relu("r", net.input("x", [null, 2], "uint8")));
    const file = exportGraph(graph, new Map(), { ...FACTS, outputs: [{ name: "y", layer: "x" }] });
    const session = await createSession(ort, file);
    const input = { data: Uint8Array.of(0, 255), dims: [1, 2] };
    expect((await session.run({ x: input }))["y"]!.data).toEqual(Float32Array.of(0, 255));
    await expect(session.run({ x: { ...input, dims: [2, 1] } })).rejects.toThrow("dimensions");
    await session.dispose();
  });

  it("refuses an output that is no float32, unless it is not asked for", async () => {
    const value = { type: "float32", dims: ["n"] } as const;
    const session = await createSession(
      ort,
      writeOnnx({
        name: "g",
        producer: "test",
        inputs: [{ ...value, name: "x" }],
        outputs: [
          { ...value, name: "y" },
          { name: "whole", type: "int64", dims: ["n"] },
        ],
        nodes: [
          { op: "Relu", inputs: ["x"], output: "y", attributes: {} },
          {
            op: "Cast",
            inputs: ["x"],
            output: "whole",
            attributes: { to: { int: DATA_TYPES.int64 } },
          },
        ],
        constants: [],
        metadata: {},
      }),
    );
    const input = { x: { data: Float32Array.of(-1, 2), dims: [2] } };
    await expect(session.run(input)).rejects.toThrow("its output 'whole' must be float32");
    expect(await session.run(input, ["y"])).toEqual({
      y: { data: Float32Array.of(0, 2), dims: [2] },
    });
    await session.dispose();
  });
});
