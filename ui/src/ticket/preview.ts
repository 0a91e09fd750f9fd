// SPDX-License-Identifier: Apache-2.0
// What an order would mean before it is sent. Estimates for the eye, from what the page sees: the
// book, the account, the fees of fills there were. The governor judges by its own numbers.
import type { Fill, Ladder, Portfolio, Quote } from "../api/documents";
import { numberOf } from "../format/numbers";

export interface Draft {
  side: "BUY" | "SELL";
  type: "MARKET" | "LIMIT";
  qty: string;
  price: string;
  reduceOnly: boolean;
}

export interface Preview {
  price: number;
  value: number;
  /** Of a market order against the book, in basis points of the middle; `null` for a limit order. */
  slippageBps: number | null;
  /** Whether the book that is seen holds enough. */
  isDeepEnough: boolean;
  fee: number | null;
  leverageAfter: number | null;
  /** Lost if the price goes ten percent against it. */
  worst: number;
  worstFraction: number | null;
}

const AGAINST = 0.1; // a bad day of these markets
const DECIMAL = /^\d{1,20}(\.\d{1,18})?$/;

/** Whether text is an amount above zero, as the API takes it. */
export function isAmount(text: string): boolean {
  return DECIMAL.test(text) && Number(text) > 0;
}

/** What stands against sending it, in words; empty if nothing the page can see does. */
export function problems(draft: Draft): string[] {
  const found = [];
  if (!isAmount(draft.qty)) found.push("quantity: a number above zero");
  if (draft.type === "LIMIT" && !isAmount(draft.price)) found.push("price: a number above zero");
  return found;
}

/** The average price of taking `qty` from levels, the best first. */
export function taken(levels: readonly (readonly unknown[])[], qty: number) {
  let [left, cost] = [qty, 0];
  for (const level of levels) {
    const [price, size] = [Number(level[0]), Number(level[1])];
    const part = Math.min(left, size);
    cost += part * price;
    left -= part;
    if (left <= 0) break;
  }
  const filled = qty - Math.max(0, left);
  return { price: filled > 0 ? cost / filled : null, isDeepEnough: left <= 0 };
}

/** The fee of a fill as a share of its value: the highest of the last ones of this kind. */
export function feeRate(fills: readonly Fill[]): number | null {
  const rates = fills
    .slice(0, 50)
    .map((fill) => Number(fill.fee) / (Number(fill.price) * Number(fill.qty)))
    .filter((rate) => Number.isFinite(rate));
  return rates.length > 0 ? Math.max(...rates) : null;
}

export interface Around {
  quote: Quote | undefined;
  ladder: Ladder | undefined;
  portfolio: Portfolio | null;
  fills: readonly Fill[];
  held: number;
}

/** What it would mean; `null` while that cannot be said. */
export function previewOf(draft: Draft, around: Around): Preview | null {
  if (problems(draft).length > 0 || around.quote === undefined) return null;
  const qty = Number(draft.qty);
  const isBuy = draft.side === "BUY";
  const { bid, ask } = around.quote;
  const touch = isBuy ? ask : bid;
  const isMarket = draft.type === "MARKET";
  const levels = (isBuy ? around.ladder?.asks : around.ladder?.bids) ?? [];
  const found = taken(levels, qty);
  const price = isMarket ? (found.price ?? touch) : Number(draft.price);
  if (price === null || price === undefined) return null;
  const middle = bid && ask ? (bid + ask) / 2 : price;
  const rate = feeRate(around.fills);
  const value = qty * price;
  const equity = numberOf(around.portfolio?.equity);
  const exposure = numberOf(around.portfolio?.exposure);
  const after = Math.abs(around.held + (isBuy ? qty : -qty)) - Math.abs(around.held);
  const canSay = equity !== null && exposure !== null && equity > 0;
  return {
    price,
    value,
    slippageBps: isMarket ? (Math.abs(price - middle) / middle) * 1e4 : null,
    isDeepEnough: !isMarket || found.isDeepEnough,
    fee: rate === null ? null : value * rate,
    leverageAfter: canSay ? Math.max(0, exposure + after * price) / equity : null,
    worst: value * AGAINST,
    worstFraction: canSay ? (value * AGAINST) / equity : null,
  };
}
