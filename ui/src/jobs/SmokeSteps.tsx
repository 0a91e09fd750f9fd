// SPDX-License-Identifier: Apache-2.0
// The steps of the last smoke test.
import type { Job } from "../api/documents";
import { open } from "../app/view";
import { Failed, Loading, Panel } from "../parts/Panel";
import { useReport } from "./queries";

interface Step {
  name: string;
  passed: boolean;
  detail: string;
  order_id: string | null;
  took_ms: number | null;
}

export function SmokeSteps({ job }: { job: Job }) {
  const report = useReport(job.job_id);
  const word = job.figures?.passed ? "passed" : "did not pass";
  return (
    <Panel title="Last smoke test" note={`${String(job.figures?.symbol)}, ${word}`}>
      {report.isPending ? (
        <Loading lines={6} />
      ) : report.isError ? (
        <Failed error={report.error} again={() => void report.refetch()} />
      ) : (
        <ul className="trail" style={{ padding: "12px 12px 0" }}>
          {((report.data.result.steps ?? []) as Step[]).map((step) => (
            <li key={step.name} className={step.passed ? "good" : "bad"}>
              <b>{step.name}</b> <span className="quiet">{step.detail}</span>
              {step.took_ms !== null && <span className="quiet"> · {step.took_ms} ms</span>}{" "}
              {step.order_id !== null && (
                <button
                  type="button"
                  className="mini mono"
                  onClick={() => open({ kind: "why", orderId: step.order_id ?? "" })}
                >
                  {step.order_id}
                </button>
              )}
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
