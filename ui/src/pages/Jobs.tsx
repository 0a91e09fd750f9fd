// SPDX-License-Identifier: Apache-2.0
// Long work beside the engine: what waits, runs and has ended, and why it ended if not well.
import type { Job } from "../api/documents";
import { useNow } from "../app/clock";
import { go } from "../app/route";
import { useSymbol } from "../app/view";
import { clock, span } from "../format/times";
import { look } from "../jobs/chosen";
import { JobState, JobTitle } from "../jobs/JobState";
import { useEndJob, useSmokeTest } from "../jobs/queries";
import { isOpen, tookS } from "../jobs/runs";
import { SmokeSteps } from "../jobs/SmokeSteps";
import { Empty, Loading, Panel } from "../parts/Panel";
import { type Column, Table } from "../parts/Table";
import { isAllowed, useSession } from "../session/session";
import { useLive } from "../stream/live";

const COLUMNS: readonly Column<Job>[] = [
  {
    key: "created",
    label: "Asked, UTC",
    value: (job) => job.created_at,
    cell: (job) => clock(job.created_at),
  },
  {
    key: "title",
    label: "Job",
    value: (job) => job.title,
    cell: (job) => <JobTitle job={job} />,
    wraps: true,
  },
  { key: "kind", label: "Kind", value: (job) => job.kind, isWideOnly: true },
  {
    key: "state",
    label: "State",
    value: (job) => job.state,
    cell: (job) => <JobState job={job} />,
  },
  {
    key: "reason",
    label: "Outcome",
    wraps: true,
    value: wordsOf,
    cell: (job) => (
      <div className="cut" title={wordsOf(job)}>
        {wordsOf(job)}
      </div>
    ),
  },
  {
    key: "took",
    label: "Took",
    value: (job) => tookS(job, 0),
    cell: (job) => <Took job={job} />,
    isNumber: true,
    isWideOnly: true,
  },
  {
    key: "memory",
    label: "Memory, MB",
    value: (job) => job.memory_mb,
    isNumber: true,
    isWideOnly: true,
  },
  { key: "by", label: "By", value: (job) => job.started_by, isWideOnly: true },
];

export function Jobs() {
  const jobs = useLive((live) => live.jobs);
  const isLive = useLive((live) => live.connection === "open");
  const role = useSession((session) => session.role);
  const end = useEndJob();
  const mayEnd = isAllowed(role, "operator");
  const waiting = (jobs ?? []).filter((job) => job.state === "QUEUED").length;
  const running = (jobs ?? []).filter((job) => job.state === "RUNNING").length;
  const columns: readonly Column<Job>[] = [
    ...COLUMNS,
    {
      key: "end",
      label: "",
      isNumber: true,
      value: () => null,
      cell: (job) => (
        <button
          type="button"
          className="mini"
          disabled={!mayEnd || end.isPending}
          aria-label={`${isOpen(job) ? "Cancel" : "Remove"} ${job.title}`}
          onClick={(event) => {
            event.stopPropagation();
            end.mutate({ jobId: job.job_id, forget: !isOpen(job) });
          }}
        >
          {isOpen(job) ? "Cancel" : "Remove"}
        </button>
      ),
    },
  ];
  const smoke = jobs?.find((job) => job.kind === "smoke-test" && job.state === "DONE");
  return (
    <>
      <Panel
        title="Jobs"
        note={`${running} running, ${waiting} waiting`}
        tools={<Smoke />}
        isStale={!isLive}
        height={smoke === undefined ? "calc(100dvh - 62px)" : 420}
      >
        {jobs === null ? (
          <Loading lines={8} />
        ) : (
          <Table
            label="Jobs"
            columns={columns}
            rows={jobs}
            rowKey={(job) => job.job_id}
            onOpen={show}
            empty={
              <Empty what="No jobs">
                Backtests, evaluations and evolutions run here when asked for.
              </Empty>
            }
          />
        )}
      </Panel>
      {smoke && <SmokeSteps key={smoke.job_id} job={smoke} />}
    </>
  );
}

function Smoke() {
  const symbol = useSymbol();
  const state = useLive((live) => live.status?.state);
  const role = useSession((session) => session.role);
  const test = useSmokeTest();
  const isReady = symbol !== null && state === "RUNNING" && isAllowed(role, "trader");
  return (
    <button
      type="button"
      className="mini"
      disabled={!isReady || test.isPending}
      title="Places and cancels an order, buys and sells the least there is. Refused in LIVE."
      onClick={() => symbol && test.mutate(symbol)}
    >
      Smoke test{symbol ? ` on ${symbol}` : ""}
    </button>
  );
}

function Took({ job }: { job: Job }) {
  return <>{span(tookS(job, useNow()))}</>;
}

function show(job: Job): void {
  if (job.kind === "smoke-test") return;
  look(job.job_id);
  go(job.kind === "evolve" ? "evolution" : "backtests");
}

/** What came of it, in words. */
function wordsOf(job: Job): string {
  if (job.state !== "DONE") return job.reason ?? "";
  const figures = job.figures ?? {};
  if (typeof figures.verdict === "string") return figures.verdict;
  if (job.kind === "smoke-test") return figures.passed ? "passed" : "did not pass";
  return `${figures.trades ?? 0} trades, net ${Number(figures.net_pnl ?? 0).toFixed(2)} USDT`;
}
