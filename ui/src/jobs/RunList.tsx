// SPDX-License-Identifier: Apache-2.0
// The runs there are: pick one for its report, tick several to lay them side by side.
import type { Job } from "../api/documents";
import { percent } from "../format/numbers";
import { clock } from "../format/times";
import { Gain } from "../parts/Amount";
import { Empty, Panel } from "../parts/Panel";
import { type Column, Table } from "../parts/Table";
import { compare, look, useChosen } from "./chosen";
import { JobState, JobTitle } from "./JobState";
import { returnOf } from "./runs";

export function RunList({ runs, isLive }: { runs: readonly Job[]; isLive: boolean }) {
  const compared = useChosen((chosen) => chosen.compared);
  const columns: readonly Column<Job>[] = [
    {
      key: "pick",
      label: "",
      value: () => null,
      cell: (job) => (
        <input
          type="checkbox"
          aria-label={`Compare ${job.title}`}
          checked={compared.includes(job.job_id)}
          disabled={job.state !== "DONE"}
          onClick={(event) => event.stopPropagation()}
          onChange={() => compare(job.job_id)}
        />
      ),
    },
    ...COLUMNS,
  ];
  return (
    <Panel title="Runs" note="tick several to compare" isStale={!isLive} height={236}>
      <Table
        label="Runs"
        columns={columns}
        rows={runs}
        rowKey={(job) => job.job_id}
        onOpen={(job) => look(job.job_id)}
        empty={<Empty what="No runs yet">Fill in the form and run a backtest.</Empty>}
      />
    </Panel>
  );
}

const COLUMNS: readonly Column<Job>[] = [
  {
    key: "created",
    label: "Time, UTC",
    value: (job) => job.created_at,
    cell: (job) => clock(job.created_at),
  },
  {
    key: "title",
    label: "Run",
    value: (job) => job.title,
    cell: (job) => <JobTitle job={job} />,
  },
  {
    key: "kind",
    label: "Kind",
    value: (job) => job.kind,
    isWideOnly: true,
    cell: (job) => <span className="quiet">{job.kind}</span>,
  },
  {
    key: "state",
    label: "State",
    value: (job) => job.state,
    cell: (job) => <JobState job={job} />,
  },
  {
    key: "net",
    label: "Net, USDT",
    value: (job) => Number(job.figures?.net_pnl ?? 0),
    cell: (job) => <Gain value={job.figures?.net_pnl as string} />,
    isNumber: true,
  },
  {
    key: "return",
    label: "Result",
    value: returnOf,
    cell: (job) => percent(returnOf(job)),
    isNumber: true,
    isWideOnly: true,
  },
  {
    key: "drawdown",
    label: "Drawdown",
    value: (job) => Number(job.figures?.max_drawdown_fraction ?? 0),
    cell: (job) => percent(job.figures?.max_drawdown_fraction as number),
    isNumber: true,
    isWideOnly: true,
  },
];
