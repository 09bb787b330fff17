import { defineConfig } from "vitest/config";

export default defineConfig({
  ssr: { resolve: { conditions: ["emotion-source"] } },
  test: {
    include: ["packages/*/test/**/*.test.ts", "test/**/*.test.ts"],
    setupFiles: ["test/setup.ts"],
    globalSetup: ["test/globalSetup.ts"],
    testTimeout: 120_000, // a step of a slow machine under load, not of the product
    hookTimeout: 120_000, // such a step too, before or after them
    expect: { poll: { timeout: 20_000 } },
    maxWorkers: "100%",
  },
});
