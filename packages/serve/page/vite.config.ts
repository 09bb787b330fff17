import { defineConfig } from "vite";

/** The page → packages/serve/dist/page. Everything is a file of its own: the content policy allows nothing inline. */
export default defineConfig({
  root: import.meta.dirname,
  resolve: { conditions: ["emotion-source"] },
  build: {
    outDir: "../dist/page",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2023",
    reportCompressedSize: false,
  },
});
