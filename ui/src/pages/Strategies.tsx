// SPDX-License-Identifier: Apache-2.0
// The strategies: what each earned and did, its parameters, and its switch. One that is off opens
// nothing more; its exits and protective stops go on.
import Switch from "@mui/material/Switch";
import type { CSSProperties } from "react";
import type { Decision, Strategy } from "../api/documents";
import { useSwitch } from "../api/queries";
import { open } from "../app/view";
import { UNKNOWN } from "../format/numbers";
import { clock } from "../format/times";
import { Gain } from "../parts/Amount";
import { Empty, Loading, Panel } from "../parts/Panel";
import { type Column, Table } from "../parts/Table";
import { isAllowed, useSession } from "../session/session";
import { useLive } from "../stream/live";

export function Strategies() {
  const strategies = useLive((live) => live.strategies);
  if (strategies === null) return <Loading lines={8} />;
  return (
    <>
      {strategies.length === 0 && <Empty what="No strategies">This engine trades by hand.</Empty>}
      <div className="cols">
        {strategies.map((each) => (
          <Card key={each.id} strategy={each} />
        ))}
      </div>
      <Decisions />
    </>
  );
}

function Card({ strategy }: { strategy: Strategy }) {
  const toggle = useSwitch();
  const maySwitch = isAllowed(
    useSession((session) => session.role),
    "operator",
  );
  const tools = (
    <span className="row" style={{ gap: 4 }}>
      <span className={strategy.enabled ? "up" : "quiet"}>{strategy.enabled ? "On" : "Off"}</span>
      <Switch
        checked={strategy.enabled}
        disabled={!maySwitch || toggle.isPending}
        onChange={(_, on) => toggle.mutate({ id: strategy.id, on })}
        slotProps={{ input: { "aria-label": `Strategy ${strategy.id} may open positions` } }}
      />
    </span>
  );
  return (
    <Panel title={strategy.id} note={strategy.symbols.join(", ")} tools={tools} className="c4">
      <dl className="strip even" style={{ "--least": "70px" } as CSSProperties}>
        <div>
          <dt>PnL, USDT</dt>
          <dd>
            <Gain value={strategy.pnl} />
          </dd>
        </div>
        <div>
          <dt>Orders</dt>
          <dd>{strategy.orders}</dd>
        </div>
        <div>
          <dt>Fills</dt>
          <dd>{strategy.fills}</dd>
        </div>
        <div>
          <dt>Refused</dt>
          <dd>{strategy.refused}</dd>
        </div>
      </dl>
      {strategy.disabled_by && (
        <p className="quiet" style={{ padding: "0 14px" }}>
          Switched off by {strategy.disabled_by}
        </p>
      )}
      <dl className="facts" style={{ borderTop: "1px solid var(--line)" }}>
        {Object.entries(strategy.params).map(([name, value]) => (
          <div key={name} style={{ display: "contents" }}>
            <dt>{name.replaceAll("_", " ")}</dt>
            <dd className="mono">{value === null ? UNKNOWN : String(value)}</dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}

const COLUMNS: readonly Column<Decision>[] = [
  { key: "ts", label: "Time, UTC", value: (d) => d.ts, cell: (d) => clock(d.ts) },
  { key: "strategy", label: "Strategy", value: (d) => d.strategy_id },
  { key: "symbol", label: "Symbol", value: (d) => d.symbol, cell: (d) => <b>{d.symbol}</b> },
  {
    key: "verdict",
    label: "Verdict",
    value: (d) => d.verdict,
    cell: (d) => (
      <span className={d.verdict === "APPROVED" ? "up" : "down"}>{d.verdict.toLowerCase()}</span>
    ),
  },
  {
    key: "order",
    label: "Order",
    value: (d) => d.client_order_id,
    isWideOnly: true,
    cell: (d) => <span className="mono">{d.client_order_id}</span>,
  },
  { key: "reason", label: "Reason", value: (d) => d.reason },
];

function Decisions() {
  const decisions = useLive((live) => live.decisions);
  return (
    <Panel title="Decisions of the governor" note="the newest first" height={420}>
      {decisions === null ? (
        <Loading />
      ) : (
        <Table
          label="Decisions"
          columns={COLUMNS}
          rows={decisions}
          rowKey={(d) => String(d.seq)}
          onOpen={(d) => open({ kind: "why", orderId: d.client_order_id })}
          empty={<Empty what="No decisions yet">No strategy has asked for an order.</Empty>}
        />
      )}
    </Panel>
  );
}
