// SPDX-License-Identifier: Apache-2.0
// Jobs as people read them: their words, how long they take, and which figures of two runs are
// laid beside each other. Pure.
import type { Job } from "../api/documents";
import { money, numberOf, percent, price, signedMoney, UNKNOWN } from "../format/numbers";
import { clock, millis } from "../format/times";

const OPEN = new Set(["QUEUED", "RUNNING"]);

/** Whether something may still become of it. */
export function isOpen(job: Job): boolean {
  return OPEN.has(job.state);
}

/** Seconds it has taken, or takes until now; `null` while it waits. */
export function tookS(job: Job, nowMs: number): number | null {
  const begun = millis(job.started_at);
  if (begun === null) return null;
  return Math.max(0, ((millis(job.ended_at) ?? nowMs) - begun) / 1000);
}

/** Seconds until it ends, at its pace so far; `null` while that cannot be said. */
export function leftS(job: Job, nowMs: number): number | null {
  const took = tookS(job, nowMs);
  if (took === null || job.state !== "RUNNING" || job.progress_percent < 2) return null;
  return (took * (100 - job.progress_percent)) / job.progress_percent;
}

const TONES: Record<string, string> = { DONE: "up", FAILED: "down", LOST: "warn", RUNNING: "" };

/** The colour of a state, beside its word. */
export function toneOf(state: string): string {
  return TONES[state] ?? "quiet";
}

export interface FigureRow {
  key: string;
  label: string;
  show: (value: unknown) => string;
  /** Which of two is better; 0 where neither is. */
  better: -1 | 0 | 1;
}

const plain = (digits: number) => (value: unknown) => {
  if (value === "inf") return "∞";
  return numberOf(value as number) === null ? UNKNOWN : price(value as number, digits);
};
const share = (value: unknown) => percent(value as number);
const coins = (value: unknown) => money(value as string);
const count = (value: unknown) => numberOf(value as number)?.toLocaleString("en-GB") ?? UNKNOWN;

/** What is laid side by side, in order. */
export const FIGURES: readonly FigureRow[] = [
  { key: "net_pnl", label: "Net result", show: (v) => signedMoney(v as string), better: 1 },
  { key: "sharpe", label: "Sharpe, yearly", show: plain(2), better: 1 },
  { key: "sortino", label: "Sortino", show: plain(2), better: 1 },
  { key: "calmar", label: "Calmar", show: plain(2), better: 1 },
  { key: "max_drawdown_fraction", label: "Largest drawdown", show: share, better: -1 },
  { key: "win_rate", label: "Win rate", show: share, better: 1 },
  { key: "profit_factor", label: "Profit factor", show: plain(2), better: 1 },
  { key: "trades", label: "Trades", show: count, better: 0 },
  { key: "fees", label: "Fees", show: coins, better: -1 },
  { key: "funding", label: "Funding paid", show: coins, better: -1 },
  { key: "slippage_cost", label: "Slippage", show: coins, better: -1 },
  { key: "turnover", label: "Turnover", show: plain(1), better: 0 },
  { key: "exposure_fraction", label: "Time in the market", show: share, better: 0 },
  { key: "buy_and_hold_return", label: "Buy and hold", show: share, better: 0 },
];

/** Which of the runs is the best in a figure, by place; `null` where none is. */
export function bestOf(row: FigureRow, jobs: readonly Job[]): number | null {
  const values = jobs.map((job) => numberOf(job.figures?.[row.key] as number));
  const known = values.filter((value) => value !== null);
  if (row.better === 0 || known.length < 2) return null;
  const best = row.better > 0 ? Math.max(...known) : Math.min(...known);
  return known.every((value) => value === best) ? null : values.indexOf(best);
}

/** Parameters in which the runs differ, with the values of each. */
export function differences(jobs: readonly Job[]): { name: string; values: string[] }[] {
  const all = jobs.map((job) => (job.figures?.params ?? {}) as Record<string, unknown>);
  const names = [...new Set(all.flatMap((params) => Object.keys(params)))];
  return names
    .map((name) => ({ name, values: all.map((params) => String(params[name] ?? UNKNOWN)) }))
    .filter(({ values }) => new Set(values).size > 1);
}

/** A name that tells two runs of one title apart. */
export function nameOf(job: Job): string {
  return `${job.title}, ${clock(job.created_at)}`;
}

/** The result over what was begun with, as a fraction. */
export function returnOf(job: Job): number | null {
  const [net, initial] = [
    numberOf(job.figures?.net_pnl as string),
    numberOf(job.figures?.initial_equity as string),
  ];
  return net === null || !initial ? null : net / initial;
}
