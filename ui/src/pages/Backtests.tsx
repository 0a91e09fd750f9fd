// SPDX-License-Identifier: Apache-2.0
// Runs on recorded markets: the form, the runs there are, and the report of one or a comparison of
// several.
import { useEffect } from "react";
import type { Job } from "../api/documents";
import { BacktestForm } from "../jobs/BacktestForm";
import { Comparison } from "../jobs/Comparison";
import { useChosen, write } from "../jobs/chosen";
import { useDataSets, useDeclared } from "../jobs/queries";
import { RunList } from "../jobs/RunList";
import { RunReport } from "../jobs/RunReport";
import { Empty, Failed, Loading, Panel } from "../parts/Panel";
import { useLive } from "../stream/live";

const KINDS = new Set(["backtest", "evaluate"]);

export function Backtests() {
  const jobs = useLive((live) => live.jobs);
  const isLive = useLive((live) => live.connection === "open");
  const { jobId, compared } = useChosen();
  const runs = (jobs ?? []).filter((job) => KINDS.has(job.kind));
  const chosen = runs.find((job) => job.job_id === jobId) ?? runs[0];
  const side = compared
    .map((id) => runs.find((job) => job.job_id === id))
    .filter((job): job is Job => job !== undefined);
  return (
    <div className="cols">
      <div className="c4 stack last">
        <NewRun />
      </div>
      <div className="c8 stack">
        {jobs === null ? (
          <Panel title="Runs">
            <Loading />
          </Panel>
        ) : (
          <RunList runs={runs} isLive={isLive} />
        )}
        {side.length > 1 ? (
          <Comparison jobs={side} />
        ) : chosen ? (
          <RunReport key={chosen.job_id} job={chosen} />
        ) : (
          <Panel title="Report">
            <Empty what="Nothing to show yet">The report of a run appears here.</Empty>
          </Panel>
        )}
      </div>
    </div>
  );
}

function NewRun() {
  const declared = useDeclared();
  const sets = useDataSets();
  const isEmpty = useChosen((state) => state.draft.strategy === "");
  const [strategies, markets] = [declared.data, sets.data];
  useEffect(() => {
    // Something that can be run at once: the first strategy on the first market.
    const market = markets?.[0];
    if (!isEmpty || !strategies?.[0] || market === undefined) return;
    write({ strategy: strategies[0].name, data: [market.id] });
  }, [isEmpty, strategies, markets]);
  const failed = declared.isError ? declared : sets.isError ? sets : null;
  return (
    <Panel title="New run">
      {failed !== null ? (
        <Failed error={failed.error} again={() => void failed.refetch()} />
      ) : strategies === undefined || markets === undefined ? (
        <Loading lines={12} />
      ) : (
        <BacktestForm strategies={strategies} sets={markets} />
      )}
    </Panel>
  );
}
