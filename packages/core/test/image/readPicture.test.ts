import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readPicture } from "@emotion-service/core/image/readPicture";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../../test/command.ts";

interface Case {
  name: string;
  /** base64 */
  file: string;
  width: number;
  height: number;
  sha256: string;
}
const reference: { cases: Case[] } = JSON.parse(
  readFileSync(new URL("../reference/pillow_decode.json", import.meta.url), "utf8"),
);

const DEEP_GREY = "16-bit grey PNG";

function written({ file }: Case): string {
  const path = join(temporaryFolder(), "picture");
  writeFileSync(path, Buffer.from(file, "base64"));
  return path;
}

describe("readPicture", () => {
  it.each(reference.cases.filter(({ name }) => name !== DEEP_GREY))(
    "gives the pixels that Pillow gives, byte for byte: $name",
    async (expected) => {
      const { data, width, height } = await readPicture(written(expected));
      expect([width, height]).toEqual([expected.width, expected.height]);
      expect(data).toHaveLength(width * height * 3);
      expect(createHash("sha256").update(data).digest("hex")).toBe(expected.sha256);
    },
  );

  it("refuses 16-bit greyscale, which Pillow makes white", async () => {
    const deep = reference.cases.find(({ name }) => name === DEEP_GREY)!;
    await expect(readPicture(written(deep))).rejects.toMatchObject({
      code: "E_INPUT_BROKEN",
      message: expect.stringMatching(/must have 8 bits a value, has 16-bit greyscale/),
    });
  });

  it.each([
    ["nothing", Buffer.alloc(0), "it is empty"],
    ["no picture", Buffer.from("no picture at all"), ""],
    ["the first half of one", Buffer.from(reference.cases[0]!.file, "base64").subarray(0, 500), ""],
    ["a JPEG's first byte", Buffer.from([0xff]), "unsupported image format"],
    ["a JPEG's first two bytes", Buffer.from([0xff, 0xd8]), ""],
  ])("refuses %s", async (_, bytes, cause) => {
    const path = join(temporaryFolder(), "broken.jpg");
    writeFileSync(path, bytes);
    await expect(readPicture(path)).rejects.toMatchObject({
      code: "E_INPUT_BROKEN",
      message: expect.stringMatching(
        new RegExp(`broken\\.jpg: cannot be decoded as a picture \\(.*${cause}`),
      ),
    });
  });
});
