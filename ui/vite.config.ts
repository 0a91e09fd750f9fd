// SPDX-License-Identifier: Apache-2.0
// How the page is built: hashed files below assets/, nothing inlined (the page's policy lets no
// script and no font stand in it), charts and kit in files of their own so that a new release of
// HEAN leaves them in the browser's store.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const ENGINE = process.env.HEAN_URL ?? "http://127.0.0.1:8000";

export default defineConfig({
  base: "./",
  plugins: [react()],
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false }, reportCompressedSize: true },
  server: {
    proxy: {
      "/api": { target: ENGINE, headers: { origin: ENGINE } },
      "/ws": { target: ENGINE, ws: true, headers: { origin: ENGINE } },
    },
  },
  test: { environment: "happy-dom", include: ["tests/**/*.test.{ts,tsx}"] },
});
