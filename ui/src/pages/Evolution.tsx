// SPDX-License-Identifier: Apache-2.0
// The population that lives on this engine, if one does; and rules that are bred: the form of an
// evolution, and the champions of the last one.
import { useEffect } from "react";
import { bredOn, useBreeding } from "../jobs/breeding";
import { Champions } from "../jobs/Champions";
import { useChosen } from "../jobs/chosen";
import { EvolveForm } from "../jobs/EvolveForm";
import { useDataSets } from "../jobs/queries";
import { Empty, Failed, Loading, Panel } from "../parts/Panel";
import { Population } from "../population/Population";
import { usePopulation } from "../population/queries";
import { useLive } from "../stream/live";

export function Evolution() {
  const jobs = useLive((live) => live.jobs);
  const { jobId } = useChosen();
  const bred = (jobs ?? []).filter((job) => job.kind === "evolve");
  const shown = bred.find((job) => job.job_id === jobId) ?? bred[0];
  const living = usePopulation().data;
  return (
    <div className="cols">
      {living !== undefined && living.agents.length > 0 && (
        <div className="c12 stack">
          <Population seen={living} />
        </div>
      )}
      <div className="c4 stack last">
        <NewEvolution />
      </div>
      <div className="c8 stack">
        {shown ? (
          <Champions key={shown.job_id} job={shown} />
        ) : (
          <Panel title="Champions">
            {jobs === null ? (
              <Loading lines={8} />
            ) : (
              <Empty what="Nothing bred yet">
                Rules are bred on one part of a record and judged on others. The best appear here,
                with what speaks against them.
              </Empty>
            )}
          </Panel>
        )}
      </div>
    </div>
  );
}

function NewEvolution() {
  const sets = useDataSets();
  const isEmpty = useBreeding((draft) => draft.data.length === 0);
  const markets = sets.data;
  useEffect(() => {
    // Something that can be bred on at once: the first bars there are.
    const first = bredOn(markets ?? []).find((set) => set.kind === "candles");
    if (isEmpty && first !== undefined) useBreeding.setState({ data: [first.id] });
  }, [isEmpty, markets]);
  return (
    <Panel title="New evolution">
      {sets.isError ? (
        <Failed error={sets.error} again={() => void sets.refetch()} />
      ) : markets === undefined ? (
        <Loading lines={10} />
      ) : (
        <EvolveForm sets={markets} />
      )}
    </Panel>
  );
}
