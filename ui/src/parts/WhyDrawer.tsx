// SPDX-License-Identifier: Apache-2.0
// Why there is an order: who wanted it, what the governor said, how it was filled, how it ended.
import Drawer from "@mui/material/Drawer";
import type { Chain, Why } from "../api/documents";
import { useCancel, useWhy } from "../api/queries";
import { digits, open } from "../app/view";
import { isOpen } from "../charts/series";
import { price, quantity } from "../format/numbers";
import { clockMs, dateClock } from "../format/times";
import { isAllowed, useSession } from "../session/session";
import { SideWord, StatusWord } from "./Amount";
import { Failed, Loading } from "./Panel";

export function WhyDrawer({ orderId }: { orderId: string }) {
  const why = useWhy(orderId);
  return (
    <Drawer
      anchor="right"
      open
      onClose={() => open(null)}
      slotProps={{
        paper: {
          role: "dialog",
          "aria-labelledby": "why-title",
          sx: { width: 420, maxWidth: "100vw", p: 2 },
        },
      }}
    >
      <div className="row">
        <h2 id="why-title" className="grow" style={{ fontSize: 15 }}>
          Why this order
        </h2>
        <button type="button" className="mini" onClick={() => open(null)}>
          Close
        </button>
      </div>
      <p className="mono quiet" style={{ overflowWrap: "anywhere", margin: "4px 0 12px" }}>
        {orderId}
      </p>
      {why.isPending && <Loading lines={8} />}
      {why.isError && <Failed error={why.error} again={() => why.refetch()} />}
      {why.data && <Trail why={why.data} />}
    </Drawer>
  );
}

function Trail({ why }: { why: Why }) {
  const { order } = why;
  const places = digits.of(order.symbol);
  const cancel = useCancel();
  const mayTrade = isAllowed(
    useSession((session) => session.role),
    "trader",
  );
  const hasEnded = !isOpen(order);
  return (
    <>
      <dl className="facts" style={{ padding: "0 0 14px" }}>
        <dt>Order</dt>
        <dd>
          <SideWord side={order.side} /> {quantity(order.qty)} {order.symbol},{" "}
          {order.type.toLowerCase()}
          {order.price && ` at ${price(order.price, places)}`}
        </dd>
        <dt>Status</dt>
        <dd>
          <StatusWord status={order.status} />
        </dd>
        <dt>Filled</dt>
        <dd>
          {quantity(order.filled_qty)}
          {order.avg_price && ` at ${price(order.avg_price, places)}`}
        </dd>
        <dt>In force</dt>
        <dd>{order.time_in_force}</dd>
        <dt>Exchange's name</dt>
        <dd className="mono">{order.exchange_order_id ?? "–"}</dd>
      </dl>
      {!hasEnded && (
        <button
          type="button"
          className="mini"
          style={{ alignSelf: "start", marginBottom: 12 }}
          disabled={!mayTrade || cancel.isPending}
          onClick={() => cancel.mutate(order.client_order_id)}
        >
          Cancel this order
        </button>
      )}
      {why.chain ? <Links chain={why.chain} /> : <Story why={why} hasEnded={hasEnded} />}
    </>
  );
}

/** What is remembered of it, where there is no journal to be read. */
function Story({ why, hasEnded }: { why: Why; hasEnded: boolean }) {
  const { order, decisions, fills } = why;
  const places = digits.of(order.symbol);
  return (
    <ol className="trail" aria-label="What led to it and what came of it">
      <li>
        <b>{order.strategy_id}</b> asked for it
        <div className="quiet">{dateClock(order.created_at)} UTC</div>
        {order.parent_id && <div className="quiet mono">part of {order.parent_id}</div>}
      </li>
      {decisions.map((each) => (
        <li key={each.seq} className={each.verdict === "APPROVED" ? "good" : "bad"}>
          The governor {each.verdict === "APPROVED" ? "let it pass" : "refused it"}
          {each.reason && <div>{each.reason}</div>}
          <div className="quiet">
            {clockMs(each.ts)} · event {each.seq}
          </div>
        </li>
      ))}
      {fills.map((fill) => (
        <li key={fill.exec_id} className="good">
          Filled {quantity(fill.qty)} at {price(fill.price, places)}, as{" "}
          {fill.liquidity.toLowerCase()}, fee {price(fill.fee, 4)} {fill.fee_asset}
          <div className="quiet">{clockMs(fill.ts)}</div>
        </li>
      ))}
      {hasEnded && (
        <li className={order.status === "REJECTED" ? "bad" : ""}>
          It ended: <StatusWord status={order.status} />
          {order.reason && <div>{order.reason}</div>}
          <div className="quiet">{clockMs(order.updated_at)}</div>
        </li>
      )}
    </ol>
  );
}

const BAD_LINKS = new Set(["REJECTED", "UNKNOWN", "QUARANTINED", "ERROR", "KILL"]);

/** The chain by the journal, as `hean why` tells it: every row, and every rule that said no. */
function Links({ chain }: { chain: Chain }) {
  const broken = chain.rules.filter((rule) => rule.is_breach);
  return (
    <>
      {broken.map((rule) => (
        <p key={rule.rule} className="down">
          {rule.rule}: observed {rule.observed}, allowed {rule.allowed}
        </p>
      ))}
      <ol className="trail" aria-label="What led to it and what came of it">
        {chain.steps.map((step) => (
          <li
            key={`${step.seq} ${step.what}`}
            className={step.what === "FILLED" ? "good" : BAD_LINKS.has(step.what) ? "bad" : ""}
          >
            <b>{step.what.charAt(0) + step.what.slice(1).toLowerCase()}</b>
            <div>{step.says}</div>
            <div className="quiet">
              {clockMs(step.ts)} · row {step.seq}
              {step.after_ms !== null && ` · ${step.after_ms.toFixed(3)} ms`}
            </div>
          </li>
        ))}
      </ol>
      {chain.rules.length > 0 && (
        <details>
          <summary>{chain.rules.length} rules were asked</summary>
          <dl className="facts" style={{ padding: "8px 0" }}>
            {chain.rules.map((rule) => (
              <div key={rule.rule} style={{ display: "contents" }}>
                <dt>{rule.rule}</dt>
                <dd className={rule.is_breach ? "down" : ""}>
                  {rule.observed} <span className="quiet">of {rule.allowed}</span>
                </dd>
              </div>
            ))}
          </dl>
        </details>
      )}
      {chain.notes.map((note) => (
        <p key={note} className="quiet">
          {note}
        </p>
      ))}
    </>
  );
}
