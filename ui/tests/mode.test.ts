// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { modeOf, SILENT_MS } from "../src/app/mode";

test("a page does not show for long what nobody confirms (C-40)", () => {
  expect(SILENT_MS).toBeLessThan(10_000);
});

test.each([
  ["as it was said", "PAPER", 0, 0, "PAPER"],
  ["for three seconds", "LIVE", 0, SILENT_MS, "LIVE"],
  ["and not a moment longer", "LIVE", 0, SILENT_MS + 1, "UNKNOWN"],
  ["never from a word that nobody knows", "DREAM", 0, 0, "UNKNOWN"],
  ["never before anything was said", undefined, undefined, 0, "UNKNOWN"],
])("the mode is shown %s", (_, said, heardMs, nowMs, shown) => {
  expect(modeOf(said, heardMs, nowMs)).toBe(shown);
});
