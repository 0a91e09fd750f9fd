// SPDX-License-Identifier: Apache-2.0
// What the live stream says. A topic of facts says each of them once; a topic of a state says its
// newest value, so a number that is missing there is no loss.
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

export interface Facts {
  orders: Order[];
  fills: Fill[];
  order_decisions: Decision[];
  logs: Told[];
  jobs: Job[];
}

export interface States {
  system_status: Status;
  positions: Position[] | null;
  pnl: Portfolio | null;
  market: Quote[] | null;
  strategies: Strategy[] | null;
  risk: Risk | null;
}

export type Topic = keyof (Facts & States);

export const FACTS: readonly Topic[] = ["orders", "fills", "order_decisions", "logs", "jobs"];
export const TOPICS: readonly Topic[] = [
  "system_status",
  "pnl",
  "positions",
  "market",
  "strategies",
  "risk",
  ...FACTS,
];

export interface Frame {
  topic: Topic;
  seq: number;
  ts: string;
  snapshot: boolean;
  data: unknown;
}

/** A frame of a topic that is known, `null` for anything else. */
export function frameOf(document: unknown): Frame | null {
  const frame = document as Partial<Frame> | null;
  if (typeof frame !== "object" || frame === null) return null;
  const isFrame = TOPICS.includes(frame.topic as Topic) && typeof frame.seq === "number";
  return isFrame ? (frame as Frame) : null;
}
