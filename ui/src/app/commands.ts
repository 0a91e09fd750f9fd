// SPDX-License-Identifier: Apache-2.0
// What the command palette offers, and how it finds it.
import { end } from "../session/session";
import { useLive } from "../stream/live";
import { beginTour } from "../tour/steps";
import { go, PAGES } from "./route";
import { toggleScheme } from "./theme";
import { choose, open } from "./view";

export interface Command {
  name: string;
  keys?: string;
  run: () => void;
}

/** All commands, as of now. Nothing of them does harm at once: what could asks first. */
export function commands(): Command[] {
  const symbols = useLive.getState().status?.symbols ?? [];
  return [
    ...PAGES.map((page) => ({
      name: `Go to ${page.name}`,
      keys: `g ${page.key}`,
      run: () => go(page.path),
    })),
    { name: "New order", keys: "n", run: () => open({ kind: "ticket" }) },
    { name: "Stop trading (kill switch)", keys: "Shift+Esc", run: () => open({ kind: "kill" }) },
    ...symbols.map((symbol) => ({ name: `Look at ${symbol}`, run: () => choose(symbol) })),
    { name: "Other colours", keys: "t", run: toggleScheme },
    { name: "Keys", keys: "?", run: () => open({ kind: "help" }) },
    { name: "Show the tour", run: beginTour },
    { name: "Log out", run: end },
  ];
}

/** Those whose name has every word of the text, in any order. */
export function matching(all: readonly Command[], text: string): Command[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return all.filter(({ name }) => words.every((word) => name.toLowerCase().includes(word)));
}
