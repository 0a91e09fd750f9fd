// SPDX-License-Identifier: Apache-2.0
// What the screens of jobs ask for and wish. The jobs themselves come by the stream.
import { useMutation, useQuery } from "@tanstack/react-query";
import { api, freshKey, told, wordsOf } from "../api/client";
import type { EvaluateAsked, EvolveAsked, JobReport } from "../api/documents";
import { notify } from "../app/notices";
import type { Draft } from "./form";

/** Strategies with what each lets one set. */
export function useDeclared() {
  return useQuery({
    queryKey: ["declared"],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: () => told(api.GET("/strategies/declared")),
  });
}

/** Recorded markets. Looked for again now and then: another window may import some. */
export function useDataSets() {
  return useQuery({
    queryKey: ["data"],
    refetchInterval: 10_000,
    queryFn: () => told(api.GET("/data")),
  });
}

/** The question for what a job has found; a result never changes. */
export function reportOf(jobId: string) {
  const params = { path: { job_id: jobId } };
  return {
    queryKey: ["report", jobId],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async () => (await told(api.GET("/jobs/{job_id}/report", { params }))) as JobReport,
  };
}

/** What a job has found. */
export function useReport(jobId: string) {
  return useQuery(reportOf(jobId));
}

/** Begin a backtest or an evaluation. */
export function useBegin() {
  return useMutation({
    mutationFn: ({ kind, asked }: { kind: Draft["kind"]; asked: EvaluateAsked }) => {
      const params = { header: { "Idempotency-Key": freshKey() } };
      return told(
        kind === "evaluate"
          ? api.POST("/evaluate", { body: asked, params })
          : api.POST("/backtest", { body: asked, params }),
      );
    },
  });
}

/** Begin an evolution. */
export function useEvolve() {
  return useMutation({
    mutationFn: (asked: EvolveAsked) => {
      const params = { header: { "Idempotency-Key": freshKey() } };
      return told(api.POST("/evolve", { body: asked, params }));
    },
  });
}

/** Begin a smoke test. */
export function useSmokeTest() {
  return useMutation({
    mutationFn: (symbol: string) => told(api.POST("/smoke-test/run", { body: { symbol } })),
    onSuccess: () => notify("Smoke test begun.", "good"),
    onError: (error) => notify(`No smoke test: ${wordsOf(error)}`, "bad"),
  });
}

/** End a job, or remove one that has ended. */
export function useEndJob() {
  return useMutation({
    mutationFn: ({ jobId, forget }: { jobId: string; forget: boolean }) => {
      const params = { path: { job_id: jobId }, query: { forget } };
      return told(api.DELETE("/jobs/{job_id}", { params }));
    },
    onError: (error) => notify(wordsOf(error), "bad"),
  });
}

/** Open the report as a page of its own, by a ticket that counts once. */
export async function openPage(jobId: string): Promise<void> {
  const tab = window.open("", "_blank");
  try {
    const { ticket } = await told(api.POST("/ws-ticket"));
    const url = new URL(`./api/jobs/${jobId}/report`, window.location.href);
    url.hash = "";
    url.search = new URLSearchParams({ format: "html", ticket }).toString();
    if (tab === null) {
      notify("The browser keeps new tabs from opening.", "bad");
      return;
    }
    tab.opener = null;
    tab.location.replace(url.href);
  } catch (error) {
    tab?.close();
    notify(`No report: ${wordsOf(error)}`, "bad");
  }
}
