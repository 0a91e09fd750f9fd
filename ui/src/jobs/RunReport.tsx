// SPDX-License-Identifier: Apache-2.0
// The report of one run: what came of it, how it went, what was assumed, and on which data.
import type { Job, JobReport } from "../api/documents";
import { Credit, CurveChart } from "../charts/CurveChart";
import { money, percent } from "../format/numbers";
import { dateClock, span } from "../format/times";
import { Gain } from "../parts/Amount";
import { type Gate, GateTable } from "../parts/GateTable";
import { Empty, Failed, Loading, Panel } from "../parts/Panel";
import { write } from "./chosen";
import { draftOf } from "./form";
import { JobState } from "./JobState";
import { openPage, useEndJob, useReport } from "./queries";
import { FIGURES, isOpen, returnOf } from "./runs";

export function RunReport({ job }: { job: Job }) {
  const end = useEndJob();
  const tools = (
    <>
      {isOpen(job) && (
        <button
          type="button"
          className="mini"
          onClick={() => end.mutate({ jobId: job.job_id, forget: false })}
        >
          Cancel
        </button>
      )}
      <button
        type="button"
        className="mini"
        onClick={() => write(draftOf(job.kind === "evaluate" ? "evaluate" : "backtest", job.asked))}
      >
        Into the form
      </button>
      {job.has_page && (
        <button type="button" className="mini" onClick={() => void openPage(job.job_id)}>
          Full report
        </button>
      )}
    </>
  );
  return (
    <Panel title={job.title} note={noteOf(job)} tools={tools}>
      {job.state === "DONE" ? <Found job={job} /> : <NotDone job={job} />}
    </Panel>
  );
}

function noteOf(job: Job): string {
  const { start, end } = job.figures ?? {};
  if (typeof start !== "string" || typeof end !== "string") return job.kind;
  return `${dateClock(start).slice(0, 16)} to ${dateClock(end).slice(0, 16)} UTC`;
}

/** A job without a result: it waits, works, or has ended without one. */
export function NotDone({ job }: { job: Job }) {
  if (isOpen(job)) {
    const waits = job.state === "QUEUED";
    return (
      <Empty what={waits ? "Waiting for a place" : "At work"}>
        <JobState job={job} />
      </Empty>
    );
  }
  return (
    <div className="empty" role="status">
      <b className={job.state === "FAILED" ? "down" : "warn"}>
        {job.state === "FAILED" ? "Failed" : job.state === "LOST" ? "Lost" : "Cancelled"}
      </b>
      <span>{job.reason}</span>
    </div>
  );
}

function Found({ job }: { job: Job }) {
  const report = useReport(job.job_id);
  if (report.isPending) return <Loading lines={10} />;
  if (report.isError) return <Failed error={report.error} again={() => void report.refetch()} />;
  return (
    <>
      <Head job={job} />
      {report.data.curve && (
        <div className="picture">
          <CurveChart curve={report.data.curve} />
          <Credit />
        </div>
      )}
      {job.kind === "evaluate" && (
        <GateTable label="The gate" gates={gatesOf(report.data.result)} />
      )}
      <Details job={job} report={report.data} />
    </>
  );
}

/** The gate from backtest to paper, line by line. */
function gatesOf(result: Record<string, unknown>): Gate[] {
  const gates = (result.gates ?? []) as (Gate & { value: Gate["found"] })[];
  return gates.map((gate) => ({ ...gate, found: gate.value }));
}

function Head({ job }: { job: Job }) {
  const figures = job.figures ?? {};
  return (
    <>
      {typeof figures.verdict === "string" && (
        <p className={figures.survives ? "up said" : "warn said"}>{figures.verdict}</p>
      )}
      <dl className="strip" style={{ gridTemplateColumns: "repeat(auto-fit, minmax(132px, 1fr))" }}>
        <div>
          <dt>Net result, USDT</dt>
          <dd>
            <Gain value={figures.net_pnl as string} />
            <small>{percent(returnOf(job))} after costs</small>
          </dd>
        </div>
        <div>
          <dt>Buy and hold</dt>
          <dd>{percent(figures.buy_and_hold_return as number)}</dd>
        </div>
        <div>
          <dt>Largest drawdown</dt>
          <dd>{percent(figures.max_drawdown_fraction as number)}</dd>
        </div>
        <div>
          <dt>Sharpe, yearly</dt>
          <dd>{FIGURES[1]?.show(figures.sharpe)}</dd>
        </div>
        <div>
          <dt>Trades</dt>
          <dd>
            {String(figures.trades ?? "–")}
            <small>{percent(figures.win_rate as number)} won</small>
          </dd>
        </div>
        <div>
          <dt>Costs, USDT</dt>
          <dd>
            {money(figures.fees as string)}
            <small>slippage {money(figures.slippage_cost as string)}</small>
          </dd>
        </div>
      </dl>
    </>
  );
}

function Details({ job, report }: { job: Job; report: JobReport }) {
  const { params, assumptions } = report.result as {
    params?: Record<string, unknown>;
    assumptions?: Record<string, string>;
  };
  const data = (report.result.data ?? []) as { file: string; rows: number; sha256: string }[];
  const took = Number(report.result.wall_s);
  return (
    <div className="cols" style={{ gap: 0, borderTop: "1px solid var(--line)" }}>
      <Facts title="Parameters" rows={Object.entries(params ?? {})} className="c4" />
      <Facts title="What was assumed" rows={Object.entries(assumptions ?? {})} className="c8" />
      <Facts
        title="Data and proof"
        className="c12"
        rows={[
          ...data.map((file): [string, string] => [
            file.file,
            `${file.rows.toLocaleString("en-GB")} rows, sha256 ${file.sha256.slice(0, 12)}`,
          ]),
          ["state hash", String(report.result.state_hash ?? "–").slice(0, 16)],
          [
            "took",
            `${took < 60 ? `${took.toFixed(2)} s` : span(took)}, ${job.memory_mb} MB at most`,
          ],
        ]}
      />
    </div>
  );
}

interface FactsProps {
  title: string;
  rows: readonly [string, unknown][];
  className: string;
}

function Facts({ title, rows, className }: FactsProps) {
  return (
    <section className={className} aria-label={title}>
      <h3 className="cap">{title}</h3>
      <dl className="facts">
        {rows.map(([name, value]) => (
          <div key={name} style={{ display: "contents" }}>
            <dt>{name.includes(".") ? name : name.replaceAll("_", " ")}</dt>
            <dd>{String(value)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
