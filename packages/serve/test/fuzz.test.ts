import { expect, test } from "vitest";
import { fuzzService } from "../../../scripts/fuzz/serveRequests.ts";
import { descendantsOf } from "../../../scripts/benchmark/startServe.ts";
import { filesLeft, useService } from "./service.ts";

const service = useService(["--quiet"]);

test("changed at random, requests do no harm (pnpm fuzz:serve sends more of them)", async () => {
  const { url, pid } = service();
  const statuses = new Set<number>();
  const failed: string[] = [];
  await fuzzService(
    Number(new URL(url).port),
    { seed: 7, from: 0, to: 300, atOnce: 8 },
    (index, { status, text }) => {
      statuses.add(status);
      if (status === 500) failed.push(`${index}: ${text}`);
    },
  );
  expect(failed).toEqual([]);
  expect([...statuses]).toEqual(expect.arrayContaining([200, 400, 415, 422]));
  await expect.poll(() => filesLeft(service())).toEqual([]);
  expect(descendantsOf(pid).length).toBeLessThanOrEqual(2);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(metrics).not.toMatch(/^emotion_service_(predictor_restarts|visitors).* [1-9]/m);
}, 120_000);
