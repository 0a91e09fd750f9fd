// SPDX-License-Identifier: Apache-2.0
// Where a job is: a word, and while it runs a bar with what is left.
import type { Job } from "../api/documents";
import { useNow } from "../app/clock";
import { span } from "../format/times";
import { leftS, toneOf } from "./runs";

export function JobState({ job }: { job: Job }) {
  const word = job.state.charAt(0) + job.state.slice(1).toLowerCase();
  if (job.state !== "RUNNING") return <span className={toneOf(job.state)}>{word}</span>;
  return <Running job={job} />;
}

function Running({ job }: { job: Job }) {
  const left = leftS(job, useNow());
  const percent = Math.floor(job.progress_percent);
  return (
    <span className="row" style={{ minWidth: 150 }}>
      <span
        className="meter grow"
        role="progressbar"
        aria-label={`Progress of ${job.title}`}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent}
      >
        <i style={{ width: `${Math.max(2, percent)}%` }} />
      </span>
      <span>{percent} %</span>
      {left !== null && <span className="quiet wide-only">{span(left)} left</span>}
    </span>
  );
}

/** Its name, cut where there is no room for it. */
export function JobTitle({ job }: { job: Job }) {
  return (
    <div className="cut" title={job.title}>
      <b>{job.title}</b>
    </div>
  );
}
