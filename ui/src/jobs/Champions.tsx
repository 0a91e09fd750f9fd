// SPDX-License-Identifier: Apache-2.0
// What an evolution has found: its verdict, what luck alone would show, and its champions' rules
// as text with their scores.
import type { Job } from "../api/documents";
import { percent, price } from "../format/numbers";
import { Empty, Failed, Loading, Panel } from "../parts/Panel";
import { type Champion, outcomeOf } from "./breeding";
import { openPage, useEndJob, useReport } from "./queries";
import { NotDone } from "./RunReport";
import { isOpen } from "./runs";

export function Champions({ job }: { job: Job }) {
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
      {job.has_page && (
        <button type="button" className="mini" onClick={() => void openPage(job.job_id)}>
          Full report
        </button>
      )}
    </>
  );
  return (
    <Panel title={job.title} note="champions" tools={tools}>
      {job.state === "DONE" ? <Found job={job} /> : <NotDone job={job} />}
    </Panel>
  );
}

function Found({ job }: { job: Job }) {
  const report = useReport(job.job_id);
  if (report.isPending) return <Loading lines={8} />;
  if (report.isError) return <Failed error={report.error} again={() => void report.refetch()} />;
  const champions = (report.data.result.champions ?? []) as Champion[];
  return (
    <>
      <Head job={job} />
      {champions.length === 0 ? (
        <Empty what="No champions">
          No rules traded often enough without ruin. More generations or fewer trades may help.
        </Empty>
      ) : (
        <Rows champions={champions} />
      )}
    </>
  );
}

function Head({ job }: { job: Job }) {
  const figures = job.figures ?? {};
  const number = (value: unknown) => price(value as number, 2);
  return (
    <>
      <p className={figures.promoted ? "up said" : "warn said"}>{String(figures.verdict)}</p>
      <dl className="strip" style={{ gridTemplateColumns: "repeat(auto-fit, minmax(132px, 1fr))" }}>
        <div>
          <dt>Trials counted</dt>
          <dd>{Number(figures.trials ?? 0).toLocaleString("en-GB")}</dd>
        </div>
        <div>
          <dt>Sharpe by luck alone</dt>
          <dd>{number(figures.sharpe_of_luck)}</dd>
        </div>
        <div>
          <dt>Overfitting</dt>
          <dd>{percent(figures.overfitting_probability as number)}</dd>
        </div>
        <div>
          <dt>Sharpe, walked forward</dt>
          <dd>{number(figures.walk_forward_sharpe)}</dd>
        </div>
      </dl>
    </>
  );
}

const HEADS = ["Sharpe bred", "Deflated", "Judged", "Held back", "Ancestors"];

function scores(champion: Champion): readonly string[] {
  return [
    price(champion.bred.sharpe, 2),
    price(champion.deflated_sharpe, 3),
    price(champion.judged.sharpe, 2),
    price(champion.held_back?.sharpe, 2),
    String(Math.max(0, champion.lineage.length - 1)),
  ];
}

function Rows({ champions }: { champions: readonly Champion[] }) {
  return (
    <div className="grid champions">
      <table aria-label="Champions">
        <thead>
          <tr>
            <th scope="col">Rules</th>
            {HEADS.map((head) => (
              <th key={head} scope="col" className="num">
                {head}
              </th>
            ))}
            <th scope="col">Outcome</th>
          </tr>
        </thead>
        <tbody>
          {champions.map((each) => (
            <tr key={each.genome}>
              <td className="genome">
                <span className="mono">{each.genome}</span>
              </td>
              {scores(each).map((score, at) => (
                <td key={HEADS[at]} className="num" data-label={HEADS[at]}>
                  {score}
                </td>
              ))}
              <td className={each.promoted ? "up" : "down"}>{outcomeOf(each)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
