// SPDX-License-Identifier: Apache-2.0
// The market of a symbol: its candles, its book as a ladder, its newest trades.

import type { Quote, Trade } from "../api/documents";
import { useTrades } from "../api/queries";
import { choose, digits, useSymbol } from "../app/view";
import { percent, price, quantity } from "../format/numbers";
import { clock } from "../format/times";
import { ChartPanel } from "../parts/ChartPanel";
import { Empty, Failed, Loading, Panel } from "../parts/Panel";
import { type Column, Table } from "../parts/Table";
import { useLive } from "../stream/live";
import { Ticket } from "../ticket/Ticket";
import { CostsPanel } from "./CostsPanel";
import { LadderPanel } from "./LadderPanel";

const QUOTES: readonly Column<Quote>[] = [
  { key: "symbol", label: "Symbol", value: (q) => q.symbol, cell: (q) => <b>{q.symbol}</b> },
  ...(["price", "bid", "ask"] as const).map(
    (name): Column<Quote> => ({
      isWideOnly: name !== "price",
      key: name,
      label: `${name.charAt(0).toUpperCase()}${name.slice(1)}, USDT`,
      value: (q) => q[name],
      cell: (q) => price(q[name], digits.of(q.symbol)),
      isNumber: true,
    }),
  ),
  {
    key: "spread",
    label: "Spread, bps",
    value: (q) => q.spread_bps,
    cell: (q) => price(q.spread_bps, 3),
    isNumber: true,
  },
  {
    key: "funding",
    label: "Funding",
    value: (q) => q.funding_rate,
    cell: (q) => percent(q.funding_rate, 4),
    isNumber: true,
  },
  {
    key: "next",
    label: "Next funding, UTC",
    value: (q) => q.next_funding,
    cell: (q) => clock(q.next_funding),
    isNumber: true,
    isWideOnly: true,
  },
  {
    key: "ts",
    label: "Heard, UTC",
    value: (q) => q.ts,
    cell: (q) => clock(q.ts),
    isNumber: true,
    isWideOnly: true,
  },
];

export function Market() {
  const symbol = useSymbol();
  const quotes = useLive((live) => live.quotes);
  const isLive = useLive((live) => live.connection === "open");
  return (
    <>
      <Panel title="Symbols" isStale={!isLive}>
        {quotes === null ? (
          <Loading lines={2} />
        ) : (
          <Table
            label="Symbols"
            columns={QUOTES}
            rows={quotes}
            rowKey={(q) => q.symbol}
            onOpen={(q) => choose(q.symbol)}
            empty={<Empty what="No symbols" />}
          />
        )}
      </Panel>
      <div className="cols">
        <ChartPanel className="c6" height={520} isShort hasIndicators />
        <LadderPanel symbol={symbol} className="c3" height={520} />
        <TradesPanel symbol={symbol} />
        <Panel title="Order by hand" className="c6">
          <Ticket />
        </Panel>
        <CostsPanel symbol={symbol} className="c6" />
      </div>
    </>
  );
}

function TradesPanel({ symbol }: { symbol: string | null }) {
  const trades = useTrades(symbol);
  const columns: Column<Trade & { at: number }>[] = [
    { key: "ts", label: "Time, UTC", value: (t) => t.ts, cell: (t) => clock(t.ts) },
    {
      key: "price",
      label: "Price, USDT",
      value: (t) => t.price,
      cell: (t) => (
        <span className={t.side === "BUY" ? "up" : "down"}>
          {price(t.price, digits.of(symbol ?? ""))}
        </span>
      ),
      isNumber: true,
    },
    {
      key: "qty",
      label: "Quantity",
      value: (t) => t.qty,
      cell: (t) => quantity(t.qty),
      isNumber: true,
    },
  ];
  return (
    <Panel title="Trades" className="c3" height={520}>
      {trades.isPending && <Loading lines={8} />}
      {trades.isError && <Failed error={trades.error} again={() => trades.refetch()} />}
      {trades.data && (
        <Table
          label="Trades of the market"
          columns={columns}
          rows={trades.data.map((trade, at) => ({ ...trade, at: trades.data.length - at }))}
          rowKey={(t) => `${t.ts}/${t.price}/${t.qty}/${t.at}`}
          empty={<Empty what="No trades yet" />}
        />
      )}
    </Panel>
  );
}
