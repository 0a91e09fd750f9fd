// SPDX-License-Identifier: Apache-2.0
// Several runs side by side: their equity over one another, their figures in columns with the best
// marked, and the parameters in which they differ.
import { useQueries } from "@tanstack/react-query";
import { useMemo } from "react";
import type { Job } from "../api/documents";
import { useScheme } from "../app/theme";
import { TOKENS } from "../app/tokens";
import { Credit, CurvesChart, type NamedCurve } from "../charts/CurveChart";
import { Empty, Loading, Panel } from "../parts/Panel";
import { compare } from "./chosen";
import { reportOf } from "./queries";
import { bestOf, differences, FIGURES, nameOf } from "./runs";

export function Comparison({ jobs }: { jobs: readonly Job[] }) {
  const tokens = TOKENS[useScheme((state) => state.scheme)];
  const colours = [tokens.accent, tokens.warn, tokens.replay, tokens.up];
  const reports = useQueries({
    queries: jobs.map((job) => reportOf(job.job_id)),
  });
  const key = reports.map((each) => each.dataUpdatedAt).join();
  const curves = useMemo(
    () =>
      jobs.flatMap((job, n): NamedCurve[] => {
        const curve = reports[n]?.data?.curve;
        return curve ? [{ name: nameOf(job), curve, colour: colours[n] ?? tokens.text }] : [];
      }),
    [key, tokens, jobs],
  );
  const differing = differences(jobs);
  return (
    <>
      <Panel
        title="Results over one another"
        note="percent of the beginning"
        className="pictured"
        height={320}
      >
        {reports.some((each) => each.isPending) ? (
          <Loading lines={8} />
        ) : curves.length === 0 ? (
          <Empty what="No curves">These runs have none.</Empty>
        ) : (
          <>
            <CurvesChart curves={curves} />
            <Credit />
          </>
        )}
      </Panel>
      <Panel title="Figures side by side">
        <div className="grid" style={{ height: "auto" }}>
          <table aria-label="Comparison">
            <thead>
              <tr>
                <th scope="col">Figure</th>
                {jobs.map((job, n) => (
                  <th key={job.job_id} scope="col" className="num">
                    <span className="swatch" style={{ background: colours[n] }} />
                    {nameOf(job)}{" "}
                    <button
                      type="button"
                      className="mini"
                      aria-label={`Take ${job.title} away`}
                      onClick={() => compare(job.job_id)}
                    >
                      ×
                    </button>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {FIGURES.map((row) => {
                const best = bestOf(row, jobs);
                return (
                  <tr key={row.key}>
                    <td className="quiet">{row.label}</td>
                    {jobs.map((job, n) => (
                      <td key={job.job_id} className={n === best ? "num up" : "num"}>
                        {row.show(job.figures?.[row.key])}
                        {n === best && <span className="sr"> best</span>}
                      </td>
                    ))}
                  </tr>
                );
              })}
              {differing.map(({ name, values }) => (
                <tr key={`param ${name}`}>
                  <td className="quiet">{name.replaceAll("_", " ")}</td>
                  {jobs.map((job, n) => (
                    <td key={job.job_id} className="num mono">
                      {values[n]}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </Panel>
    </>
  );
}
