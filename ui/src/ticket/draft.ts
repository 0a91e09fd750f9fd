// SPDX-License-Identifier: Apache-2.0
// An order as it is being written. What it would mean is the engine's to say; here is only whether
// there is something to ask about.
import type { OrderAsked } from "../api/documents";

export type Force = NonNullable<OrderAsked["time_in_force"]>;

export interface Draft {
  side: "BUY" | "SELL";
  type: "MARKET" | "LIMIT";
  qty: string;
  price: string;
  reduceOnly: boolean;
  force: Force;
}

const DECIMAL = /^\d{1,20}(\.\d{1,18})?$/;

/** Whether text is an amount above zero, as the API takes it. */
export function isAmount(text: string): boolean {
  return DECIMAL.test(text) && Number(text) > 0;
}

/** What stands against asking about it, in words; empty if nothing does. */
export function problems(draft: Draft): string[] {
  const found = [];
  if (!isAmount(draft.qty)) found.push("quantity: a number above zero");
  if (draft.type === "LIMIT" && !isAmount(draft.price)) found.push("price: a number above zero");
  return found;
}

/** The order that a draft stands for; `null` while it stands for none. */
export function askedOf(draft: Draft, symbol: string | null): OrderAsked | null {
  if (symbol === null || problems(draft).length > 0) return null;
  const isLimit = draft.type === "LIMIT";
  return {
    symbol,
    side: draft.side,
    type: draft.type,
    qty: draft.qty,
    price: isLimit ? draft.price : null,
    reduce_only: draft.reduceOnly,
    time_in_force: isLimit ? draft.force : "GTC",
  };
}
