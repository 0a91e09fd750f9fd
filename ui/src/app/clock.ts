// SPDX-License-Identifier: Apache-2.0
// The time, for what grows old on the screen. One timer serves all who ask.
import { useSyncExternalStore } from "react";

const TICK_MS = 500;
let nowMs = Date.now();
const listeners = new Set<() => void>();
let timer = 0;

/** Milliseconds since 1970, renewed twice a second. */
export function useNow(): number {
  return useSyncExternalStore(listen, () => nowMs);
}

function listen(changed: () => void): () => void {
  if (listeners.size === 0) {
    nowMs = Date.now();
    timer = window.setInterval(tick, TICK_MS);
  }
  listeners.add(changed);
  return () => {
    listeners.delete(changed);
    if (listeners.size === 0) window.clearInterval(timer);
  };
}

function tick(): void {
  nowMs = Date.now();
  for (const listener of listeners) listener();
}
