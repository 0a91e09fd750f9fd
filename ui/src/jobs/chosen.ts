// SPDX-License-Identifier: Apache-2.0
// Which runs the person looks at, and what stands in the form, kept while they go to other screens.
import { create } from "zustand";
import { type Draft, EMPTY } from "./form";

export const COMPARED_MAX = 4;

interface Chosen {
  /** The one whose report is shown. */
  jobId: string | null;
  /** Those laid side by side. */
  compared: string[];
  draft: Draft;
}

export const useChosen = create<Chosen>(() => ({ jobId: null, compared: [], draft: EMPTY }));

/** Look at the report of a job. */
export function look(jobId: string | null): void {
  useChosen.setState({ jobId, compared: [] });
}

/** Lay a run beside the others, or take it away. */
export function compare(jobId: string): void {
  useChosen.setState(({ compared }) => ({
    compared: compared.includes(jobId)
      ? compared.filter((each) => each !== jobId)
      : [...compared, jobId].slice(-COMPARED_MAX),
  }));
}

/** Change the form. */
export function write(part: Partial<Draft>): void {
  useChosen.setState(({ draft }) => ({ draft: { ...draft, ...part } }));
}
