/** What ONNX Runtime may run a network on; "auto" is the processor. In a file of its own, which `--help` can afford to load. */
export const DEVICES = ["auto", "cpu", "cuda", "webgpu"] as const;
export type Device = (typeof DEVICES)[number];
