// SPDX-License-Identifier: Apache-2.0
// The columns of orders, fills and positions, once for all the screens that show them.
import type { Fill, Order, Position } from "../api/documents";
import { digits } from "../app/view";
import { isOpen } from "../charts/series";
import { numberOf, price, quantity, times } from "../format/numbers";
import { clock } from "../format/times";
import { Gain, SideWord, StatusWord } from "./Amount";
import type { Column } from "./Table";

// A phone has room for what an order is, at what price, and how it stands; a press tells the rest.
export const ORDER_COLUMNS: readonly Column<Order>[] = [
  {
    key: "created",
    label: "Time, UTC",
    value: (o) => o.created_at,
    cell: (o) => clock(o.created_at),
    isWideOnly: true,
  },
  { key: "symbol", label: "Symbol", value: (o) => o.symbol, cell: (o) => <b>{o.symbol}</b> },
  {
    key: "what",
    label: "Order",
    value: (o) => Number(o.qty),
    cell: (o) => (
      <>
        <SideWord side={o.side} /> {quantity(o.qty)}
      </>
    ),
    isNumber: true,
    isNarrowOnly: true,
  },
  {
    key: "at",
    label: "At, USDT",
    value: (o) => numberOf(priceOf(o)),
    cell: (o) => price(priceOf(o), digits.of(o.symbol)),
    isNumber: true,
    isNarrowOnly: true,
  },
  {
    key: "side",
    label: "Side",
    value: (o) => o.side,
    cell: (o) => <SideWord side={o.side} />,
    isWideOnly: true,
  },
  { key: "type", label: "Type", value: (o) => o.type, cell: (o) => typeWord(o), isWideOnly: true },
  {
    key: "qty",
    label: "Quantity",
    value: (o) => Number(o.qty),
    cell: (o) => quantity(o.qty),
    isNumber: true,
    isWideOnly: true,
  },
  {
    key: "price",
    label: "Price, USDT",
    value: (o) => numberOf(o.price ?? o.trigger_price),
    cell: (o) => price(o.price ?? o.trigger_price, digits.of(o.symbol)),
    isNumber: true,
    isWideOnly: true,
  },
  {
    key: "filled",
    label: "Filled",
    value: (o) => Number(o.filled_qty),
    cell: (o) => quantity(o.filled_qty),
    isNumber: true,
    isWideOnly: true,
  },
  {
    key: "average",
    label: "Average, USDT",
    value: (o) => numberOf(o.avg_price),
    cell: (o) => price(o.avg_price, digits.of(o.symbol)),
    isNumber: true,
    isWideOnly: true,
  },
  {
    key: "status",
    label: "Status",
    value: (o) => o.status,
    cell: (o) => <StatusWord status={o.status} />,
  },
  { key: "strategy", label: "Strategy", value: (o) => o.strategy_id, isWideOnly: true },
];

/** The button that asks for the end of an order. */
export function cancelColumn(cancel: (id: string) => void, isAllowed: boolean): Column<Order> {
  return {
    key: "cancel",
    label: "",
    isNumber: true,
    value: () => null,
    cell: (order) =>
      isOpen(order) && (
        <button
          type="button"
          className="mini"
          disabled={!isAllowed}
          aria-label={`Cancel order ${order.client_order_id}`}
          onClick={(event) => {
            event.stopPropagation();
            cancel(order.client_order_id);
          }}
        >
          Cancel
        </button>
      ),
  };
}

export const FILL_COLUMNS: readonly Column<Fill>[] = [
  { key: "ts", label: "Time, UTC", value: (f) => f.ts, cell: (f) => clock(f.ts) },
  { key: "symbol", label: "Symbol", value: (f) => f.symbol, cell: (f) => <b>{f.symbol}</b> },
  { key: "side", label: "Side", value: (f) => f.side, cell: (f) => <SideWord side={f.side} /> },
  {
    key: "qty",
    label: "Quantity",
    value: (f) => Number(f.qty),
    cell: (f) => quantity(f.qty),
    isNumber: true,
  },
  {
    key: "price",
    label: "Price, USDT",
    value: (f) => Number(f.price),
    cell: (f) => price(f.price, digits.of(f.symbol)),
    isNumber: true,
  },
  {
    key: "fee",
    label: "Fee",
    value: (f) => Number(f.fee),
    cell: (f) => `${price(f.fee, 4)} ${f.fee_asset}`,
    isNumber: true,
    isWideOnly: true,
  },
  {
    key: "liquidity",
    label: "As",
    value: (f) => f.liquidity,
    cell: (f) => f.liquidity.toLowerCase(),
    isWideOnly: true,
  },
  { key: "strategy", label: "Strategy", value: (f) => f.strategy_id, isWideOnly: true },
];

export const POSITION_COLUMNS: readonly Column<Position>[] = [
  { key: "symbol", label: "Symbol", value: (p) => p.symbol, cell: (p) => <b>{p.symbol}</b> },
  {
    key: "qty",
    label: "Size",
    value: (p) => Number(p.qty),
    cell: (p) => (
      <span className={Number(p.qty) > 0 ? "up" : "down"}>
        {Number(p.qty) > 0 ? "long" : "short"} {quantity(Math.abs(Number(p.qty)))}
      </span>
    ),
    isNumber: true,
  },
  {
    key: "average",
    label: "Average, USDT",
    value: (p) => Number(p.avg_price),
    cell: (p) => price(p.avg_price, digits.of(p.symbol)),
    isNumber: true,
  },
  {
    key: "mark",
    label: "Mark, USDT",
    value: (p) => numberOf(p.mark_price),
    cell: (p) => price(p.mark_price, digits.of(p.symbol)),
    isNumber: true,
    isWideOnly: true,
  },
  {
    key: "unrealized",
    label: "Unrealised, USDT",
    value: (p) => Number(p.unrealized_pnl),
    cell: (p) => <Gain value={p.unrealized_pnl} />,
    isNumber: true,
  },
  {
    key: "realized",
    label: "Realised, USDT",
    value: (p) => Number(p.realized_pnl),
    cell: (p) => <Gain value={p.realized_pnl} />,
    isNumber: true,
    isWideOnly: true,
  },
  {
    key: "leverage",
    label: "Leverage",
    value: (p) => Number(p.leverage),
    cell: (p) => times(p.leverage),
    isNumber: true,
    isWideOnly: true,
  },
  {
    key: "liquidation",
    label: "Liquidation, USDT",
    value: (p) => numberOf(p.liquidation_price),
    cell: (p) => price(p.liquidation_price, digits.of(p.symbol)),
    isNumber: true,
    isWideOnly: true,
  },
];

/** What it asks for, or what it got. */
function priceOf(order: Order): string | null {
  return order.price ?? order.trigger_price ?? order.avg_price ?? null;
}

function typeWord(order: Order): string {
  const word = order.type.toLowerCase().replace("_", " ");
  return order.reduce_only ? `${word}, reduces` : word;
}
