import { expect, test } from "vitest";
import { samplesOf, soundOf, withinSeconds } from "@emotion-service/core/audio/sound";

test("of a sound within a limit all is read, at each reading; of a longer one no more than the limit", async () => {
  const sound = soundOf(
    Float32Array.from({ length: 1000 }, (_, at) => at / 1000),
    500,
  );
  const exact = withinSeconds(sound, 2);
  expect(await samplesOf(exact)).toEqual(await samplesOf(sound));
  expect(await samplesOf(exact)).toHaveLength(1000);
  let read = 0;
  const endless = {
    ...sound,
    read: async (onBlock: (block: Float32Array) => boolean | Promise<boolean>) => {
      while (await onBlock(new Float32Array(100))) read += 100;
    },
  };
  await expect(samplesOf(withinSeconds(endless, 1.5))).rejects.toMatchObject({
    code: "E_LIMIT",
    message: "sound: must last at most 1.5 s, lasts longer",
  });
  expect(read).toBe(700); // the block after these would pass 750
});
