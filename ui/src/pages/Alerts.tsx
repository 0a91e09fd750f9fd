// SPDX-License-Identifier: Apache-2.0
// What people were called for, of this session and of earlier ones, and whether it reached them.
import { useState } from "react";
import type { Alert } from "../api/documents";
import { useAlerts } from "../api/queries";
import { dateClock } from "../format/times";
import { Empty, Failed, Loading, Panel } from "../parts/Panel";
import { type Column, Table } from "../parts/Table";
import { isAllowed, useSession } from "../session/session";

const RANK: Record<string, number> = { info: 0, warning: 1, critical: 2 };
const COLOUR: Record<string, string> = { info: "quiet", warning: "warn", critical: "down" };

const COLUMNS: readonly Column<Alert>[] = [
  {
    key: "ts",
    label: "Time, UTC",
    value: (a) => a.ts,
    cell: (a) => <span className="mono">{dateClock(a.ts)}</span>,
    wraps: true,
  },
  {
    key: "severity",
    label: "Severity",
    value: (a) => RANK[a.severity] ?? 0,
    cell: (a) => <span className={COLOUR[a.severity]}>{a.severity}</span>,
  },
  { key: "rule", label: "Alert", value: (a) => a.rule, wraps: true },
  {
    key: "text",
    label: "What",
    wraps: true,
    value: (a) => a.text,
    cell: (a) => (
      <span title={`${a.text}\n${a.who}`}>
        {a.text}
        {a.times > 1 && <span className="quiet"> ×{a.times}</span>}
        <span className="narrow-only">
          {" "}
          <Fate alert={a} />
        </span>
      </span>
    ),
  },
  { key: "sent", label: "Sent to", value: fate, cell: (a) => <Fate alert={a} />, isWideOnly: true },
];

export function Alerts() {
  const role = useSession((session) => session.role);
  const [isMissed, setIsMissed] = useState(false);
  const found = useAlerts(isMissed, isAllowed(role, "operator"));
  if (!isAllowed(role, "operator")) {
    return (
      <Panel title="Alerts" className="fill">
        <Empty what="Not for this role">Alerts take role operator.</Empty>
      </Panel>
    );
  }
  const tools = (
    <button
      type="button"
      className="mini"
      aria-pressed={isMissed}
      onClick={() => setIsMissed(!isMissed)}
    >
      Not delivered
    </button>
  );
  const undelivered = found.data?.undelivered ?? 0;
  const places = found.data?.destinations ?? [];
  // Of a trading process beside this one only the alerts tell where they went.
  const isSent = places.length > 0 || found.data?.alerts.some((alert) => alert.deliveries.length);
  return (
    <>
      {undelivered > 0 && (
        <p className="notice">
          <span>{undelivered} not delivered everywhere.</span>
        </p>
      )}
      {found.data && !isSent && (
        <p className="notice">
          <span>
            Alerts are kept here and sent nowhere: no destination is set (docs/alerts.md).
          </span>
        </p>
      )}
      <Panel
        title="Alerts"
        note={places.map((place) => `${place.name} from ${place.least}`).join(", ") || undefined}
        tools={tools}
        className="fill"
      >
        {found.isPending && <Loading lines={8} />}
        {found.isError && <Failed error={found.error} again={() => found.refetch()} />}
        {found.data && (
          <Table
            label="Alerts"
            columns={COLUMNS}
            rows={found.data.alerts}
            rowKey={(alert) => String(alert.id)}
            empty={<Empty what="No alerts">Nobody was called for anything like that.</Empty>}
          />
        )}
      </Panel>
    </>
  );
}

function Fate({ alert }: { alert: Alert }) {
  return (
    <>
      {alert.deliveries.map((each) => (
        <span
          key={each.to}
          className={each.state === "delivered" || each.tries === 0 ? "quiet" : "warn"}
          title={each.reason}
        >
          {each.to} {each.state}
          {each.reason && `: ${each.reason}`}{" "}
        </span>
      ))}
    </>
  );
}

function fate(alert: Alert): string {
  return alert.deliveries.map((each) => `${each.to} ${each.state}`).join(", ");
}
