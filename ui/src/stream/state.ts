// SPDX-License-Identifier: Apache-2.0
// Everything the page knows from the stream, and how a batch of frames changes it. Pure: the same
// frames make the same state, and what did not change keeps its identity, so that React draws only
// what did.
import type {
  Decision,
  Fill,
  Job,
  Order,
  Portfolio,
  Position,
  Quote,
  Risk,
  Status,
  Strategy,
  Told,
} from "../api/documents";
import { millis } from "../format/times";
import type { Frame, States, Topic } from "./frames";

export interface EquityPoint {
  atMs: number;
  equity: number;
}

export interface LiveState {
  status: Status | null;
  portfolio: Portfolio | null;
  positions: Position[] | null;
  quotes: Quote[] | null;
  strategies: Strategy[] | null;
  risk: Risk | null;
  orders: Order[] | null;
  fills: Fill[] | null;
  decisions: Decision[] | null;
  logs: Told[] | null;
  jobs: Job[] | null;
  equity: EquityPoint[];
  heardMs: Partial<Record<Topic, number>>;
}

export const EMPTY: LiveState = {
  status: null,
  portfolio: null,
  positions: null,
  quotes: null,
  strategies: null,
  risk: null,
  orders: null,
  fills: null,
  decisions: null,
  logs: null,
  jobs: null,
  equity: [],
  heardMs: {},
};

const ROWS_MAX = 1_000; // of each kind of fact; older ones are asked for when they are wanted
const EQUITY_MAX = 4_000;

/** The state after a batch of frames, the oldest first, that came until `nowMs`. */
export function after(state: LiveState, frames: readonly Frame[], nowMs: number): LiveState {
  const next = { ...state, heardMs: { ...state.heardMs } };
  for (const frame of frames) {
    next.heardMs[frame.topic] = nowMs;
    apply(next, frame);
  }
  return next;
}

function apply(next: LiveState, frame: Frame): void {
  switch (frame.topic) {
    case "system_status":
      next.status = frame.data as Status;
      return;
    case "pnl":
      next.portfolio = frame.data as States["pnl"];
      if (next.portfolio !== null) next.equity = grown(next.equity, next.portfolio);
      return;
    case "positions":
      next.positions = frame.data as States["positions"];
      return;
    case "market":
      next.quotes = frame.data as States["market"];
      return;
    case "strategies":
      next.strategies = frame.data as States["strategies"];
      return;
    case "risk":
      next.risk = frame.data as States["risk"];
      return;
    case "orders":
      next.orders = mergedOrders(next.orders, frame.data as Order[], frame.snapshot);
      return;
    case "fills":
      next.fills = rows(next.fills, frame.data as Fill[], frame.snapshot);
      return;
    case "order_decisions":
      next.decisions = rows(next.decisions, frame.data as Decision[], frame.snapshot);
      return;
    case "logs":
      next.logs = rows(next.logs, frame.data as Told[], frame.snapshot);
      return;
    case "jobs":
      next.jobs = mergedJobs(next.jobs, frame.data as Job[], frame.snapshot);
  }
}

/** The newest first: a snapshot is so already, news come the oldest first. */
function rows<Row>(known: Row[] | null, said: Row[], isSnapshot: boolean): Row[] {
  if (isSnapshot || known === null) return isSnapshot ? said : [...said].reverse();
  return [...[...said].reverse(), ...known].slice(0, ROWS_MAX);
}

/** Orders by name: one that is known changes where it stands, a new one goes on top. */
export function mergedOrders(known: Order[] | null, said: Order[], isSnapshot: boolean): Order[] {
  return merged(known, said, isSnapshot, (order) => order.client_order_id);
}

/** Jobs by name, in the same way; one that was forgotten goes. */
export function mergedJobs(known: Job[] | null, said: Job[], isSnapshot: boolean): Job[] {
  const all = merged(known, said, isSnapshot, (job) => job.job_id);
  return all.filter((job) => job.state !== "FORGOTTEN");
}

function merged<Row>(
  known: Row[] | null,
  said: Row[],
  isSnapshot: boolean,
  nameOf: (row: Row) => string,
): Row[] {
  if (isSnapshot || known === null) return isSnapshot ? said : [...said].reverse();
  const news = new Map(said.map((row) => [nameOf(row), row]));
  const kept = known.map((row) => {
    const changed = news.get(nameOf(row));
    if (changed === undefined) return row;
    news.delete(nameOf(row));
    return changed;
  });
  return [...[...news.values()].reverse(), ...kept].slice(0, ROWS_MAX);
}

/** The curve with one more point; a second has one, its last. */
export function grown(curve: EquityPoint[], portfolio: Portfolio): EquityPoint[] {
  const atMs = Math.floor((millis(portfolio.ts) ?? 0) / 1000) * 1000;
  const point = { atMs, equity: Number(portfolio.equity) };
  const last = curve.at(-1);
  if (last === undefined || atMs > last.atMs) return [...curve, point].slice(-EQUITY_MAX);
  if (atMs < last.atMs) return [point]; // another life of the engine
  return [...curve.slice(0, -1), point];
}
