// SPDX-License-Identifier: Apache-2.0
// Our books beside the venue's: the last reading of the account, what explains each difference, and
// the one thing that only a person can decide. What else could be done about a difference happens by
// itself, and is said here.
import { useState } from "react";
import type { Holding, Order, Reconciled } from "../api/documents";
import { useReconcile } from "../api/queries";
import { open } from "../app/view";
import { numberOf, quantity, UNKNOWN } from "../format/numbers";
import { dateClock, span } from "../format/times";
import { SideWord } from "../parts/Amount";
import { Empty, Failed, Loading, Panel } from "../parts/Panel";
import { type Column, Table } from "../parts/Table";
import { isAllowed, useSession } from "../session/session";
import { useLive } from "../stream/live";
import { ResolveDialog } from "./ResolveDialog";

const HOLDINGS: readonly Column<Holding>[] = [
  { key: "name", label: "Held", value: (r) => r.name, cell: (r) => <b>{r.name}</b> },
  number("expected", "Our fills explain", (r) => r.expected),
  number("actual", "The venue has", (r) => r.actual),
  {
    key: "difference",
    label: "Difference",
    isNumber: true,
    value: (r) => numberOf(r.difference),
    cell: (r) => (
      <span className={Number(r.difference ?? 0) === 0 ? "quiet" : "down"}>
        {quantity(r.difference)}
      </span>
    ),
  },
];

function number(key: string, label: string, of: (row: Holding) => string | null): Column<Holding> {
  return {
    key,
    label,
    isNumber: true,
    value: (row) => numberOf(of(row)),
    cell: (row) => <span className="mono">{quantity(of(row))}</span>,
  };
}

export function Reconcile() {
  const found = useReconcile();
  const [chosen, setChosen] = useState<Order | null>(null);
  if (found.isPending) return <Loading lines={8} />;
  if (found.isError) return <Failed error={found.error} again={() => found.refetch()} />;
  const books = found.data;
  return (
    <>
      <Verdict books={books} />
      <div className="cols">
        <Panel title="Held" note={when(books.read_at)} className="c6">
          <Table
            label="What is held"
            columns={HOLDINGS}
            rows={books.holdings ?? []}
            rowKey={(row) => row.name}
            empty={<Empty what="Not read yet">The account is read twice a minute.</Empty>}
          />
        </Panel>
        <div className="c6 stack">
          <Differences books={books} />
          <Panel title="Undecided orders" note={books.undecided?.length}>
            {!books.undecided?.length ? (
              <Empty what="None">No order waits for a person to say what became of it.</Empty>
            ) : (
              <ul style={{ padding: 12 }} className="stack">
                {books.undecided.map((order) => (
                  <Undecided key={order.client_order_id} order={order} choose={setChosen} />
                ))}
              </ul>
            )}
          </Panel>
          <Automatic />
        </div>
      </div>
      {chosen && <ResolveDialog order={chosen} close={() => setChosen(null)} />}
    </>
  );
}

function Verdict({ books }: { books: Reconciled }) {
  const word = books.is_clean === null ? UNKNOWN : books.is_clean ? "agree" : "differ";
  const tone = books.is_clean === null ? "quiet" : books.is_clean ? "up" : "down";
  return (
    <Panel title="Books">
      <dl className="strip" style={{ gridTemplateColumns: "repeat(auto-fit, minmax(150px, 1fr))" }}>
        <div>
          <dt>Ours and the venue's</dt>
          <dd className={tone}>{word}</dd>
        </div>
        <div>
          <dt>Last agreed</dt>
          <dd>
            {span(books.lag_seconds)}
            <small>ago</small>
          </dd>
        </div>
        <div>
          <dt>Compared</dt>
          <dd>
            {when(books.compared_at) ?? UNKNOWN}
            <small>{books.is_complete === false ? "the reading was not whole" : "UTC"}</small>
          </dd>
        </div>
      </dl>
      {books.note && <p style={{ padding: "0 12px 12px" }}>{books.note}</p>}
    </Panel>
  );
}

function Differences({ books }: { books: Reconciled }) {
  const sentences = books.differences ?? [];
  const isSaid = (id: string) => sentences.some((each) => each.includes(id));
  const orders = (books.orders ?? []).filter((order) => !isSaid(order.order_id));
  return (
    <Panel title="Differences of the last reading" note={sentences.length}>
      {sentences.length === 0 && orders.length === 0 ? (
        <Empty what="None">Everything the venue shows is in our books.</Empty>
      ) : (
        <ul style={{ padding: 12 }} className="stack">
          {sentences.map((each) => (
            <li key={each}>{each}</li>
          ))}
          {orders.map((order) => (
            <li key={order.order_id} className="quiet">
              <span className="mono">{order.order_id}</span>:{" "}
              {order.status === ""
                ? `${quantity(order.open_qty)} ${order.symbol} open at the venue, not ours`
                : `${order.status.toLowerCase()} here, not shown by the venue`}
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Undecided({ order, choose }: { order: Order; choose: (order: Order) => void }) {
  const mayDecide = isAllowed(
    useSession((session) => session.role),
    "risk",
  );
  return (
    <li className="row">
      <span className="grow">
        <SideWord side={order.side} /> {quantity(order.qty)} {order.symbol}{" "}
        <button
          type="button"
          className="mini mono"
          onClick={() => open({ kind: "why", orderId: order.client_order_id })}
        >
          {order.client_order_id}
        </button>
      </span>
      <button
        type="button"
        className="mini"
        disabled={!mayDecide}
        onClick={() => choose(order)}
        aria-label={`Decide ${order.client_order_id}`}
      >
        Decide…
      </button>
    </li>
  );
}

/** What needs no button, and where the button is that it needs. */
function Automatic() {
  const isHeld = useLive((live) => (live.positions?.length ?? 0) > 0);
  return (
    <Panel title="What happens by itself">
      <ul style={{ padding: 12 }} className="stack">
        <li>
          <b>Ignored</b>: an order or a coin that is somebody's own is left alone.
        </li>
        <li>
          <b>Adopted</b>: a position that differs for ten seconds stops everything new, then the
          venue's word counts. A person who has looked releases the stop.
        </li>
        <li className="row">
          <span className="grow">
            <b>Flattened</b>: only when a person says so, by the kill switch or for one position.
          </span>
          <button type="button" className="mini" onClick={() => open({ kind: "kill" })}>
            Kill switch…
          </button>
          {isHeld && (
            <a className="mini" href="#/positions">
              Positions
            </a>
          )}
        </li>
      </ul>
    </Panel>
  );
}

function when(moment: string | null | undefined): string | undefined {
  return moment ? dateClock(moment).slice(11) : undefined;
}
