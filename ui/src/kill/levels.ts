// SPDX-License-Identifier: Apache-2.0
// The levels of the kill switch, from the mildest on, and what each will do to what there is now.
import type { KillAsked } from "../api/documents";

export type Level = NonNullable<KillAsked["level"]>;

export const LEVELS: readonly { level: Level; name: string; does: string }[] = [
  { level: "HALT_NEW", name: "Halt new", does: "No new order that opens or adds." },
  {
    level: "CANCEL_ALL",
    name: "Cancel all",
    does: "And every open order is cancelled, but the stops that protect a position.",
  },
  { level: "FLATTEN", name: "Flatten", does: "And every position is closed at the market." },
  {
    level: "LOCKED",
    name: "Lock",
    does: "Cancels alone pass; nothing else is sent, no close either.",
  },
];

/** What will happen, in a sentence. */
export function consequence(level: Level, orders: number, positions: number): string {
  const open = `${orders} open order${orders === 1 ? "" : "s"}`;
  const held = `${positions} position${positions === 1 ? "" : "s"}`;
  switch (level) {
    case "HALT_NEW":
      return `Nothing new is opened. ${open} and ${held} stay as they are.`;
    case "CANCEL_ALL":
      return `${open} will be cancelled, protective stops stay. ${held} stay open.`;
    case "FLATTEN":
      return `${open} will be cancelled and ${held} closed at the market.`;
    case "LOCKED":
      return `${open} will be cancelled. ${held} stay open and nothing here can close them.`;
  }
}
