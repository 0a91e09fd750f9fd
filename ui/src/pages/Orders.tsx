// SPDX-License-Identifier: Apache-2.0
// Every order of the session: those that were asked for, kept up to date by the stream.
import { useMemo, useState } from "react";
import type { Order } from "../api/documents";
import { useCancel, useCancelAll, useOrders } from "../api/queries";
import { open } from "../app/view";
import { isOpen } from "../charts/series";
import { csv, download } from "../format/csv";
import { cancelColumn, ORDER_COLUMNS } from "../parts/columns";
import { Empty, Failed, Loading, Panel } from "../parts/Panel";
import { Table } from "../parts/Table";
import { isAllowed, useSession } from "../session/session";
import { useLive } from "../stream/live";
import { mergedOrders } from "../stream/state";

const SHOWS = ["all", "open", "filled", "refused"] as const;
type Shows = (typeof SHOWS)[number];

/** Whether an order is of those that are to be shown. *text*: part of any of its words. */
export function isShown(order: Order, shows: Shows, text: string): boolean {
  if (shows === "open" && !isOpen(order)) return false;
  if (shows === "filled" && order.status !== "FILLED") return false;
  if (shows === "refused" && order.status !== "REJECTED") return false;
  const words = [order.symbol, order.side, order.type, order.status, order.strategy_id];
  words.push(order.client_order_id, order.reason);
  return words.join(" ").toLowerCase().includes(text.toLowerCase());
}

export function Orders() {
  const asked = useOrders();
  const live = useLive((state) => state.orders);
  const [shows, setShows] = useState<Shows>("all");
  const [text, setText] = useState("");
  const role = useSession((session) => session.role);
  const mayTrade = isAllowed(role, "trader");
  const cancel = useCancel().mutate;
  const cancelAll = useCancelAll();
  const rows = useMemo(() => {
    // The stream's are the newer word; they come the newest first and are merged the oldest first.
    const all = mergedOrders(asked.data ?? null, [...(live ?? [])].reverse(), false);
    return all.filter((order) => isShown(order, shows, text));
  }, [asked.data, live, shows, text]);
  const columns = useMemo(
    () => [
      ...ORDER_COLUMNS,
      {
        key: "reason",
        label: "Reason",
        value: (o: Order) => o.reason,
        cell: (o: Order) => <div className="cut quiet">{o.reason}</div>,
        isWideOnly: true,
      },
      cancelColumn(cancel, mayTrade),
    ],
    [cancel, mayTrade],
  );
  const tools = (
    <>
      {SHOWS.map((each) => (
        <button
          key={each}
          type="button"
          className="mini"
          aria-pressed={shows === each}
          onClick={() => setShows(each)}
        >
          {each}
        </button>
      ))}
      <input
        className="field"
        type="search"
        aria-label="Filter orders"
        placeholder="Filter"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <button type="button" className="mini" onClick={() => download("orders.csv", fileOf(rows))}>
        CSV
      </button>
      <button type="button" className="mini" onClick={() => open({ kind: "ticket" })}>
        New order
      </button>
      <button
        type="button"
        className="mini"
        disabled={!isAllowed(role, "operator") || cancelAll.isPending}
        onClick={() => cancelAll.mutate()}
      >
        Cancel all open
      </button>
    </>
  );
  return (
    <Panel title="Orders" note={rows.length} tools={tools} className="fill">
      {asked.isPending && live === null && <Loading lines={10} />}
      {asked.isError && live === null && (
        <Failed error={asked.error} again={() => asked.refetch()} />
      )}
      {(asked.isSuccess || live !== null) && (
        <Table
          label="Orders"
          columns={columns}
          rows={rows}
          rowKey={(order) => order.client_order_id}
          onOpen={(order) => open({ kind: "why", orderId: order.client_order_id })}
          empty={<Empty what="No orders">None of this session is like that.</Empty>}
        />
      )}
    </Panel>
  );
}

/** The rows as a file, with exact numbers. */
export function fileOf(rows: readonly Order[]): string {
  const names: (keyof Order)[] = [
    "client_order_id",
    "exchange_order_id",
    "created_at",
    "updated_at",
    "symbol",
    "side",
    "type",
    "time_in_force",
    "reduce_only",
    "qty",
    "price",
    "trigger_price",
    "filled_qty",
    "avg_price",
    "status",
    "strategy_id",
    "parent_id",
    "reason",
  ]; // prettier-ignore
  return csv(
    names,
    rows.map((row) => names.map((name) => row[name])),
  );
}
