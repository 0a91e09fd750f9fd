// SPDX-License-Identifier: Apache-2.0
// What is held, and the way out of it: a close is a market order that can only reduce.
import { useMemo } from "react";
import type { Position } from "../api/documents";
import { open } from "../app/view";
import { EquityChart } from "../charts/EquityChart";
import { csv, download } from "../format/csv";
import { POSITION_COLUMNS } from "../parts/columns";
import { Figures } from "../parts/Figures";
import { Empty, Loading, Panel } from "../parts/Panel";
import { type Column, Table } from "../parts/Table";
import { FillsPanel } from "../parts/Tables";
import { isAllowed, useSession } from "../session/session";
import { useLive } from "../stream/live";

export function Positions() {
  const positions = useLive((live) => live.positions);
  const isLive = useLive((live) => live.connection === "open");
  const mayTrade = isAllowed(
    useSession((session) => session.role),
    "trader",
  );
  const columns = useMemo(
    (): Column<Position>[] => [
      ...POSITION_COLUMNS,
      {
        key: "close",
        label: "",
        isNumber: true,
        value: () => null,
        cell: ({ symbol }) => (
          <button
            type="button"
            className="mini"
            disabled={!mayTrade}
            aria-label={`Close ${symbol}`}
            onClick={() => open({ kind: "close", symbol })}
          >
            Close
          </button>
        ),
      },
    ],
    [mayTrade],
  );
  const tools = (
    <button
      type="button"
      className="mini"
      disabled={!positions?.length}
      onClick={() => download("positions.csv", fileOf(positions ?? []))}
    >
      CSV
    </button>
  );
  return (
    <>
      <Panel title="Account" isStale={!isLive} className="bare">
        <Figures />
      </Panel>
      <Panel title="Positions" note={positions?.length} tools={tools} isStale={!isLive}>
        {positions === null ? (
          <Loading />
        ) : (
          <Table
            label="Positions"
            columns={columns}
            rows={positions}
            rowKey={(p) => p.symbol}
            empty={<Empty what="Flat">Nothing is held.</Empty>}
          />
        )}
      </Panel>
      <div className="cols">
        <Panel title="Equity and drawdown" note="USDT" className="c6" height={340}>
          <EquityChart />
        </Panel>
        <FillsPanel className="c6" height={340} />
      </div>
    </>
  );
}

function fileOf(rows: readonly Position[]): string {
  const names: (keyof Position)[] = [
    "symbol",
    "qty",
    "avg_price",
    "mark_price",
    "unrealized_pnl",
    "realized_pnl",
    "leverage",
    "liquidation_price",
  ]; // prettier-ignore
  return csv(
    names,
    rows.map((row) => names.map((name) => row[name])),
  );
}
