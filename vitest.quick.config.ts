import { defineConfig } from "vitest/config";

export default defineConfig({
  ssr: { resolve: { conditions: ["emotion-source"] } },
  test: {
    include: ["packages/*/test/**/*.test.ts", "test/**/*.test.ts"],
    setupFiles: ["test/setup.ts"],

    testTimeout: 60_000,
  },
});
