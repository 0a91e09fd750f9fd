// SPDX-License-Identifier: Apache-2.0
// Where the page is, kept in the fragment: `/orders` and its like are routes of the API, and a
// fragment needs nothing of a server, whichever stands in front.
import { useSyncExternalStore } from "react";

export const PAGES = [
  { path: "", name: "Dashboard", key: "d", icon: "dashboard" },
  { path: "market", name: "Market", key: "m", icon: "market" },
  { path: "orders", name: "Orders", key: "o", icon: "orders" },
  { path: "positions", name: "Positions", key: "p", icon: "positions" },
  { path: "strategies", name: "Strategies", key: "s", icon: "strategies" },
  { path: "risk", name: "Risk", key: "r", icon: "risk" },
  { path: "backtests", name: "Backtests", key: "b", icon: "backtests" },
  { path: "evolution", name: "Evolution", key: "v", icon: "evolution" },
  { path: "jobs", name: "Jobs", key: "j", icon: "jobs" },
  { path: "reconcile", name: "Reconcile", key: "c", icon: "reconcile" },
  { path: "alerts", name: "Alerts", key: "a", icon: "alerts" },
  { path: "logs", name: "Logs", key: "l", icon: "logs" },
  { path: "settings", name: "Settings", key: "e", icon: "settings" },
] as const;

export type Path = (typeof PAGES)[number]["path"];

/** The page of this fragment; the dashboard for one that nobody knows. */
export function pathOf(hash: string): Path {
  const word = hash.replace(/^#\/?/, "").split("?")[0];
  return PAGES.find((page) => page.path === word)?.path ?? "";
}

/** Go there. */
export function go(path: Path): void {
  window.location.hash = `/${path}`;
}

/** Where the page is now. */
export function usePath(): Path {
  return useSyncExternalStore(listen, () => pathOf(window.location.hash));
}

function listen(changed: () => void): () => void {
  window.addEventListener("hashchange", changed);
  return () => window.removeEventListener("hashchange", changed);
}
