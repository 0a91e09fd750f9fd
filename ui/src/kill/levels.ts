// SPDX-License-Identifier: Apache-2.0
// The levels of the kill switch, from the mildest on, and what each will do to what there is now.
import type { KillAsked, Order, Position } from "../api/documents";

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

const PROTECTIVE = new Set(["STOP", "STOP_LIMIT"]);

/** What will happen, in a sentence. *orders*: the open ones. */
export function consequence(
  level: Level,
  orders: readonly Order[],
  positions: readonly Position[],
): string {
  const held = counted(positions.length, "position");
  const stay = positions.length === 1 ? "stays" : "stay";
  const kept = new Set(positions.map((position) => position.symbol));
  const stops = orders.filter(
    (order) => PROTECTIVE.has(order.type) && order.reduce_only && kept.has(order.symbol),
  ).length;
  const going = counted(orders.length - stops, "open order");
  const staying = stops ? `, ${counted(stops, "protective stop")} kept` : "";
  switch (level) {
    case "HALT_NEW":
      return `Nothing new is opened. ${counted(orders.length, "open order")} and ${held} stay as they are.`;
    case "CANCEL_ALL":
      return `${going} will be cancelled${staying}. ${held} ${stay} open.`;
    case "FLATTEN":
      return `${going} will be cancelled and ${held} closed at the market.`;
    case "LOCKED":
      return `${going} will be cancelled${staying}. ${held} ${stay} open and nothing here can close them.`;
  }
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
