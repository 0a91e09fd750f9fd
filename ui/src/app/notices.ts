// SPDX-License-Identifier: Apache-2.0
// Short words about what was asked: that it was done, or why not. They go away by themselves, but
// for bad news, which stays until it is read.
import { create } from "zustand";

export type Tone = "good" | "bad" | "plain";

export interface Notice {
  id: number;
  text: string;
  tone: Tone;
}

const SHOWN_MS = 5_000;
const KEPT = 4;
let count = 0;

export const useNotices = create<{ notices: Notice[] }>(() => ({ notices: [] }));

/** Say something. */
export function notify(text: string, tone: Tone = "plain"): void {
  count += 1;
  const id = count;
  useNotices.setState(({ notices }) => ({
    notices: [...notices, { id, text, tone }].slice(-KEPT),
  }));
  if (tone !== "bad") window.setTimeout(() => dismiss(id), SHOWN_MS);
}

/** Take a notice away. */
export function dismiss(id: number): void {
  useNotices.setState(({ notices }) => ({ notices: notices.filter((each) => each.id !== id) }));
}
