// SPDX-License-Identifier: Apache-2.0
// Panels of positions, open orders and fills, as the dashboard and other screens show them.
import { useMemo } from "react";
import { useCancel, useCancelAll } from "../api/queries";
import { go } from "../app/route";
import { open } from "../app/view";
import { isOpen } from "../charts/series";
import { isAllowed, useSession } from "../session/session";
import { useLive } from "../stream/live";
import { cancelColumn, FILL_COLUMNS, ORDER_COLUMNS, POSITION_COLUMNS } from "./columns";
import { Empty, Loading, Panel } from "./Panel";
import { Table } from "./Table";

// Beside another panel there is no room for all of them; the screen of positions has the rest.
const SHORT = POSITION_COLUMNS.filter(({ key }) => !["realized", "leverage"].includes(key));
const SHORT_ORDERS = ORDER_COLUMNS.filter(({ key }) => !["filled", "average"].includes(key));

interface Place {
  className?: string;
  height?: number | string;
}

export function PositionsPanel({ className, height }: Place) {
  const positions = useLive((live) => live.positions);
  const isLive = useLive((live) => live.connection === "open");
  return (
    <Panel
      title="Positions"
      note={positions?.length}
      className={className}
      height={height}
      isStale={!isLive}
    >
      {positions === null ? (
        <Loading />
      ) : (
        <Table
          label="Positions"
          columns={SHORT}
          rows={positions}
          rowKey={(p) => p.symbol}
          onOpen={() => go("positions")}
          empty={<Empty what="Flat">Nothing is held.</Empty>}
        />
      )}
    </Panel>
  );
}

export function OpenOrdersPanel({ className, height }: Place) {
  const orders = useLive((live) => live.orders);
  const isLive = useLive((live) => live.connection === "open");
  const role = useSession((session) => session.role);
  const mayTrade = isAllowed(role, "trader");
  const cancel = useCancel().mutate;
  const cancelAll = useCancelAll();
  const shown = useMemo(() => orders?.filter(isOpen) ?? null, [orders]);
  const columns = useMemo(
    () => [...SHORT_ORDERS, cancelColumn(cancel, mayTrade)],
    [cancel, mayTrade],
  );
  const tools = (
    <>
      <button type="button" className="mini" onClick={() => open({ kind: "ticket" })}>
        New order
      </button>
      <button
        type="button"
        className="mini"
        disabled={!isAllowed(role, "operator") || !shown?.length || cancelAll.isPending}
        onClick={() => cancelAll.mutate()}
      >
        Cancel all
      </button>
    </>
  );
  return (
    <Panel
      title="Open orders"
      note={shown?.length}
      tools={tools}
      className={className}
      height={height}
      isStale={!isLive}
    >
      {shown === null ? (
        <Loading />
      ) : (
        <Table
          label="Open orders"
          columns={columns}
          rows={shown}
          rowKey={(o) => o.client_order_id}
          onOpen={(o) => open({ kind: "why", orderId: o.client_order_id })}
          empty={<Empty what="No open orders">Strategies or you may place some.</Empty>}
        />
      )}
    </Panel>
  );
}

export function FillsPanel({ className, height }: Place) {
  const fills = useLive((live) => live.fills);
  const isLive = useLive((live) => live.connection === "open");
  return (
    <Panel title="Last fills" className={className} height={height} isStale={!isLive}>
      {fills === null ? (
        <Loading />
      ) : (
        <Table
          label="Last fills"
          columns={FILL_COLUMNS}
          rows={fills}
          rowKey={(f) => f.exec_id}
          onOpen={(f) => open({ kind: "why", orderId: f.client_order_id })}
          empty={<Empty what="No fills yet">The first trade shows up here.</Empty>}
        />
      )}
    </Panel>
  );
}
