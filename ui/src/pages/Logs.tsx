// SPDX-License-Identifier: Apache-2.0
// Errors and changes of health as they happen, with a filter, and a pause for reading.
import { useMemo, useState } from "react";
import type { Told } from "../api/documents";
import { csv, download } from "../format/csv";
import { clockMs } from "../format/times";
import { Empty, Loading, Panel } from "../parts/Panel";
import { type Column, Table } from "../parts/Table";
import { isAllowed, useSession } from "../session/session";
import { useLive } from "../stream/live";

const COLUMNS: readonly Column<Told>[] = [
  {
    key: "ts",
    label: "Time, UTC",
    value: (t) => t.ts,
    cell: (t) => <span className="mono">{clockMs(t.ts)}</span>,
  },
  {
    key: "level",
    label: "Level",
    value: (t) => t.level,
    isWideOnly: true,
    cell: (t) => <span className={t.level === "ERROR" ? "down" : "quiet"}>{t.level}</span>,
  },
  {
    key: "component",
    label: "Part",
    value: (t) => t.component,
    cell: (t) => <div className="cut">{t.component}</div>,
  },
  { key: "text", label: "Text", value: (t) => t.text },
];

export function Logs() {
  const said = useLive((live) => live.logs);
  const role = useSession((session) => session.role);
  const [held, setHeld] = useState<Told[] | null>(null);
  const [text, setText] = useState("");
  const [isErrors, setIsErrors] = useState(false);
  const rows = useMemo(() => {
    const all = held ?? said ?? [];
    const word = text.toLowerCase();
    return all.filter(
      (row) =>
        (!isErrors || row.level === "ERROR") &&
        `${row.component} ${row.text} ${row.seq}`.toLowerCase().includes(word),
    );
  }, [held, said, text, isErrors]);
  if (!isAllowed(role, "operator")) {
    return (
      <Panel title="Logs" className="fill">
        <Empty what="Not for this role">Logs take role operator.</Empty>
      </Panel>
    );
  }
  const tools = (
    <>
      <button
        type="button"
        className="mini"
        aria-pressed={isErrors}
        onClick={() => setIsErrors(!isErrors)}
      >
        Errors only
      </button>
      <button
        type="button"
        className="mini"
        aria-pressed={held !== null}
        onClick={() => setHeld(held === null ? (said ?? []) : null)}
      >
        Pause
      </button>
      <input
        className="field"
        type="search"
        aria-label="Search logs"
        placeholder="Part, text or number"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <button type="button" className="mini" onClick={() => download("logs.csv", fileOf(rows))}>
        CSV
      </button>
    </>
  );
  return (
    <Panel title="Logs" note={rows.length} tools={tools} className="fill">
      {said === null ? (
        <Loading lines={8} />
      ) : (
        <Table
          label="Logs"
          columns={COLUMNS}
          rows={rows}
          rowKey={(row) => String(row.seq)}
          empty={<Empty what="Nothing said">No errors and no changes of health like that.</Empty>}
        />
      )}
    </Panel>
  );
}

function fileOf(rows: readonly Told[]): string {
  return csv(
    ["seq", "ts", "level", "component", "text"],
    rows.map((row) => [row.seq, row.ts, row.level, row.component, row.text]),
  );
}
