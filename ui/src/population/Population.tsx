// SPDX-License-Identifier: Apache-2.0
// The population that lives here: how far each agent is trusted, what it does against what was
// expected of it, who has a seat, and what has happened to whom.
import { useState } from "react";
import type { AgentSeen, Happening, PopulationSeen } from "../api/documents";
import { percent } from "../format/numbers";
import { dateClock } from "../format/times";
import { Gain } from "../parts/Amount";
import { Empty, Panel } from "../parts/Panel";
import { type Column, Table } from "../parts/Table";
import { AgentDrawer } from "./AgentDrawer";
import { HEALTH_TONES, mean, STAGE_TONES, words } from "./agents";

const COLUMNS: readonly Column<AgentSeen>[] = [
  { key: "id", label: "Agent", value: (a) => a.id, cell: (a) => <b className="mono">{a.id}</b> },
  {
    key: "stage",
    label: "Stage",
    value: (a) => a.stage,
    cell: (a) => <span className={STAGE_TONES[a.stage] ?? ""}>{words(a.stage)}</span>,
  },
  {
    key: "health",
    label: "Health",
    value: (a) => a.health,
    cell: (a) => <span className={HEALTH_TONES[a.health] ?? "quiet"}>{words(a.health)}</span>,
  },
  {
    key: "seat",
    label: "Seat",
    value: (a) => a.share,
    cell: (a) => (a.share > 0 ? `${a.symbols.join(", ")} ${percent(a.share, 1)}` : "–"),
  },
  {
    key: "days",
    label: "Days",
    value: (a) => a.days.length,
    isNumber: true,
    isWideOnly: true,
  },
  { key: "trips", label: "Shadow trades", value: (a) => a.trips, isNumber: true, isWideOnly: true },
  {
    key: "expected",
    label: "Expected a day",
    value: (a) => a.expected_mean,
    cell: (a) => percent(a.expected_mean, 3),
    isNumber: true,
    isWideOnly: true,
  },
  {
    key: "mean",
    label: "Shadow a day",
    value: (a) => mean(a),
    cell: (a) => percent(mean(a), 3),
    isNumber: true,
  },
  {
    key: "traded",
    label: "Trades, as the shadow",
    value: (a) => a.traded,
    cell: (a) => (a.traded > 0 ? `${a.traded}, ${percent(a.matched / a.traded, 1)}` : "–"),
    isNumber: true,
    isWideOnly: true,
  },
  {
    key: "profit",
    label: "Profit, USDT",
    value: (a) => Number(a.profit),
    cell: (a) => <Gain value={a.profit} />,
    isNumber: true,
    isWideOnly: true,
  },
  {
    key: "genome",
    label: "Rules",
    value: (a) => a.genome,
    isWideOnly: true,
    cell: (a) => <span className="mono">{a.genome}</span>,
  },
];

const HAPPENED: readonly Column<Happening>[] = [
  {
    key: "ts",
    label: "Time, UTC",
    value: (h) => h.ts,
    cell: (h) => dateClock(h.ts),
    wraps: true,
  },
  {
    key: "agent",
    label: "Agent",
    value: (h) => h.agent,
    cell: (h) => <b>{h.agent}</b>,
    wraps: true,
  },
  { key: "what", label: "What", value: (h) => h.what, isWideOnly: true },
  {
    key: "after",
    label: "From, to",
    value: (h) => h.after,
    wraps: true,
    cell: (h) => (
      <>
        {words(h.before)} → {words(h.after)}
      </>
    ),
  },
  { key: "reason", label: "Reason", value: (h) => h.reason, wraps: true },
  { key: "actor", label: "By", value: (h) => h.actor, isWideOnly: true },
];

export function Population({ seen }: { seen: PopulationSeen }) {
  const [shown, setShown] = useState<string | null>(null);
  const agent = seen.agents.find((each) => each.id === shown);
  const seated = seen.agents.filter((each) => each.share > 0).length;
  return (
    <>
      {seen.broken.length > 0 && (
        <p className="notice bad" role="alert">
          Nobody gets a seat.
          <span className="grow">What agents read is broken: {seen.broken.join("; ")}.</span>
        </p>
      )}
      <Panel
        title="Population"
        note={`${seen.agents.length} agents, ${seated} with a seat, on ${seen.symbols.join(", ")}`}
        height={360}
      >
        <Table
          label="Population"
          columns={COLUMNS}
          rows={seen.agents}
          rowKey={(each) => each.id}
          onOpen={(each) => setShown(each.id)}
          empty={<Empty what="No agents" />}
        />
      </Panel>
      <Panel title="Births, promotions, illness, deaths" note="the newest first" height={240}>
        <Table
          label="What has happened"
          columns={HAPPENED}
          rows={seen.events}
          rowKey={(each) => `${each.ts} ${each.agent} ${each.what}`}
          onOpen={(each) => setShown(each.agent)}
          empty={<Empty what="Nothing has happened yet" />}
        />
      </Panel>
      {agent !== undefined && <AgentDrawer agent={agent} close={() => setShown(null)} />}
    </>
  );
}
