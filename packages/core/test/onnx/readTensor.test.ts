import { TENSOR } from "@emotion-service/core/onnx/fields";
import { readFields } from "@emotion-service/core/onnx/readInfo";
import { type OnnxTensor, readTensor } from "@emotion-service/core/onnx/readTensor";
import { PbfReader, PbfWriter } from "pbf";
import { describe, expect, it } from "vitest";

const INT64 = 7;

/** What is read of an int64 tensor of these sizes, whose values `write` writes. */
function tensorOf(size: number, write: (pbf: PbfWriter) => void): OnnxTensor | undefined {
  const writeTensor = (_: undefined, pbf: PbfWriter): void => {
    pbf.writePackedVarint(TENSOR.dims, [size]);
    pbf.writeVarintField(TENSOR.dataType, INT64);
    write(pbf);
  };
  const writer = new PbfWriter();
  writer.writeMessage(1, writeTensor, undefined);
  const bytes = writer.finish();
  let found: OnnxTensor | undefined;
  readFields(new PbfReader(bytes), bytes.length, { 1: (pbf) => (found = readTensor(pbf)) });
  return found;
}

describe("readTensor: the values of a list of int64", () => {
  it("are read, as numbers or as bytes", () => {
    const numbers = tensorOf(2, (pbf) => pbf.writePackedVarint(TENSOR.int64Data, [3, 4]));
    const bytes = Buffer.from(BigInt64Array.of(3n, 4n).buffer);
    const raw = tensorOf(2, (pbf) => pbf.writeBytesField(TENSOR.rawData, bytes));
    expect([numbers?.ints, raw?.ints]).toEqual([
      [3, 4],
      [3, 4],
    ]);
  });

  it("are not known where they lie in another file, or are many: an empty or shorter list would be a wrong shape", () => {
    const many = Array.from({ length: 65 }, (_, i) => i);
    const long = tensorOf(65, (pbf) => pbf.writePackedVarint(TENSOR.int64Data, many));
    expect([tensorOf(2, () => {})?.ints, long?.ints]).toEqual([undefined, undefined]);
  });
});
