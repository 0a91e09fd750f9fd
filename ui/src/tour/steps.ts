// SPDX-License-Identifier: Apache-2.0
// The tour of somebody's first visit: what it shows, in which order, and that it was seen. It is
// offered on paper alone; nobody shall drill a kill switch where money is.
import { create } from "zustand";
import type { Path } from "../app/route";

export interface Step {
  /** Of the screen it is on. */
  path: Path;
  /** What it points at. */
  target: string;
  title: string;
  text: string;
  /** What it says while trading is stopped. */
  stopped?: string;
}

export const STEPS: readonly Step[] = [
  {
    path: "",
    target: "[data-testid=mode]",
    title: "No money here",
    text: "This word and the line above it come from the engine: PAPER, TESTNET or LIVE. If it says nothing for three seconds, they say UNKNOWN.",
  },
  {
    path: "",
    target: ".panel:has(.chart)",
    title: "The market, and what was done in it",
    text: "Arrows are fills, dashed lines are open orders and the average of what is held. [ and ] change the symbol.",
  },
  {
    path: "orders",
    target: ".panel[aria-label=Orders]",
    title: "Every order says why",
    text: "Open a row, with a click or Enter: who wanted it, what the governor said, how it was filled, how it ended.",
  },
  {
    path: "risk",
    target: "[data-testid=kill]",
    title: "A drill: stop it",
    text: "Press STOP, or Shift+Escape, wherever you are. Type STOP, and see what became of orders and positions.",
    stopped:
      "It holds, through restarts too. To go on takes a minute, a reason, and the phrase: release, a space, and the account's name, which is paper here.",
  },
  {
    path: "backtests",
    target: ".main .panel",
    title: "The same code on the past",
    text: "Run a strategy on recorded or generated data, and read its report: fees, slippage and every assumption are in it.",
  },
  {
    path: "",
    target: "[aria-label^=Commands]",
    title: "That is all",
    text: "Ctrl+K finds every command, ? lists the keys. The tour is among the commands.",
  },
];

const KEY = "hean.tour";

interface Tour {
  /** `null`: nobody is on it. */
  at: number | null;
  wasSeen: boolean;
}

export const useTour = create<Tour>(() => ({
  at: null,
  wasSeen: localStorage.getItem(KEY) !== null,
}));

/** Begin, from the start. */
export function beginTour(): void {
  useTour.setState({ at: 0 });
}

/** Go one step on or back; past the last it ends. */
export function moveTour(by: 1 | -1): void {
  const { at } = useTour.getState();
  if (at === null) return;
  if (at + by >= STEPS.length) endTour();
  else useTour.setState({ at: Math.max(0, at + by) });
}

/** End it, and do not offer it again in this browser. */
export function endTour(): void {
  localStorage.setItem(KEY, "seen");
  useTour.setState({ at: null, wasSeen: true });
}
