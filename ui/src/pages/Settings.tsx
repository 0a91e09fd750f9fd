// SPDX-License-Identifier: Apache-2.0
// Every setting with where its value came from; what is secret comes masked and stays so.
import { useMemo, useState } from "react";
import type { Setting } from "../api/documents";
import { useEngine, useSettings } from "../api/queries";
import { span } from "../format/times";
import { LiveGate, useIsFollowed } from "../parts/LiveGate";
import { Empty, Failed, Loading, Panel } from "../parts/Panel";
import { type Column, Table } from "../parts/Table";
import { isAllowed, useSession } from "../session/session";
import { useLive } from "../stream/live";

type Row = Setting & { name: string };

const COLUMNS: readonly Column<Row>[] = [
  { key: "name", label: "Setting", value: (r) => r.name, cell: (r) => <b>{r.name}</b> },
  {
    key: "value",
    label: "Value",
    value: (r) => shown(r.value),
    cell: (r) => (
      <span className="mono">
        {shown(r.value)} {isMeasured(r.value) && r.unit}
      </span>
    ),
  },
  {
    key: "source",
    label: "Source",
    value: (r) => r.source,
    cell: (r) => (
      <span className={r.source === "default" ? "quiet" : ""}>
        {r.source} {r.place}
      </span>
    ),
  },
  {
    key: "variable",
    label: "Variable",
    value: (r) => r.variable ?? "",
    cell: (r) => <span className="mono quiet">{r.variable}</span>,
    isWideOnly: true,
  },
  { key: "meaning", label: "Meaning", value: (r) => r.meaning, isWideOnly: true },
];

/** Whether a unit may follow it: nothing is measured by "off". */
function isMeasured(value: unknown): boolean {
  return typeof value === "number" || (typeof value === "string" && /^[-\d]/.test(value));
}

export function Settings() {
  const settings = useSettings();
  const isFollowed = useIsFollowed();
  const [text, setText] = useState("");
  const [isOwn, setIsOwn] = useState(false);
  const rows = useMemo(
    () =>
      Object.entries(settings.data?.settings ?? {})
        .map(([name, setting]): Row => ({ ...setting, name }))
        .filter((row) => !isOwn || row.source !== "default")
        .filter((row) => `${row.name} ${row.meaning}`.toLowerCase().includes(text.toLowerCase())),
    [settings.data, text, isOwn],
  );
  const tools = (
    <>
      <button type="button" className="mini" aria-pressed={isOwn} onClick={() => setIsOwn(!isOwn)}>
        Not default
      </button>
      <input
        className="field"
        type="search"
        aria-label="Filter settings"
        placeholder="Filter"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
    </>
  );
  return (
    <>
      <Engine />
      {isFollowed && <LiveGate />}
      {settings.data?.problems.map((problem) => (
        <p className="notice" key={problem}>
          <span>{problem}</span>
        </p>
      ))}
      <Panel title="Settings" note={rows.length} tools={tools} className="fill">
        {settings.isPending && <Loading lines={10} />}
        {settings.isError && <Failed error={settings.error} again={() => settings.refetch()} />}
        {settings.data && (
          <Table
            label="Settings"
            columns={COLUMNS}
            rows={rows}
            rowKey={(row) => row.name}
            empty={<Empty what="No setting is called that" />}
          />
        )}
      </Panel>
    </>
  );
}

function Engine() {
  const status = useLive((live) => live.status);
  const engine = useEngine();
  const mayTurn = isAllowed(
    useSession((session) => session.role),
    "operator",
  );
  const isOn = status !== null && !["STOPPED", "FAILED"].includes(status.state);
  const isFollowed = useIsFollowed();
  const tools = !isFollowed && (
    <button
      type="button"
      className="mini"
      disabled={!mayTurn || engine.isPending || status === null}
      onClick={() => engine.mutate(isOn ? "stop" : "start")}
    >
      {isOn ? "Stop the engine" : "Start the engine"}
    </button>
  );
  return (
    <Panel title="Engine" note={status?.state.toLowerCase()} tools={tools}>
      {status === null ? (
        <Loading lines={2} />
      ) : (
        <dl className="facts" style={{ maxWidth: 560 }}>
          <dt>Origin</dt>
          <dd>{status.origin || "–"}</dd>
          <dt>Running for</dt>
          <dd>{span(status.uptime_seconds)}</dd>
          <dt>Events</dt>
          <dd>{status.events.toLocaleString("en-GB")}</dd>
          {isFollowed && (
            <>
              <dt>Process</dt>
              <dd>Another one; it is started and ended with hean live.</dd>
            </>
          )}
          {status.error && (
            <>
              <dt>Error</dt>
              <dd className="down">{status.error}</dd>
            </>
          )}
        </dl>
      )}
    </Panel>
  );
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}
