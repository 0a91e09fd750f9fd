// SPDX-License-Identifier: Apache-2.0
// The stream, joined to the page. Frames are gathered and handed over once for each animation
// frame, so a burst costs one drawing; a page nobody looks at gets no animation frames, and is
// brought up to date twice a second instead, lest what waits grow without bound.
import { create } from "zustand";
import { type Connection, type Socket, StreamClient } from "./client";
import type { Frame } from "./frames";
import { after, EMPTY, type LiveState } from "./state";

interface Live extends LiveState {
  connection: Connection;
  why: string;
}

const HIDDEN_MS = 500;

export const useLive = create<Live>(() => ({ ...EMPTY, connection: "connecting", why: "" }));

let client: StreamClient | null = null;
let waiting: Frame[] = [];
let isDue = false;

/** Connect with a token. *onRefused*: the token does not count any more. */
export function connect(token: string, onRefused: () => void): void {
  disconnect();
  client = new StreamClient({
    token,
    open: () => new WebSocket(address()) as unknown as Socket,
    onFrame: gather,
    onConnection: (connection, why) => {
      useLive.setState({ connection, why });
      if (connection === "refused") onRefused();
    },
    later: (what, ms) => {
      const timer = window.setTimeout(what, ms);
      return () => window.clearTimeout(timer);
    },
    random: Math.random,
  });
  window.addEventListener("online", hurry);
  client.start();
}

/** Let go, and forget what was seen: the next person may have a smaller role. */
export function disconnect(): void {
  window.removeEventListener("online", hurry);
  client?.stop();
  client = null;
  waiting = [];
  useLive.setState({ ...EMPTY, connection: "closed", why: "" });
}

/** Try to connect now. */
export function hurry(): void {
  client?.hurry();
}

function gather(frame: Frame): void {
  waiting.push(frame);
  if (isDue) return;
  isDue = true;
  const drawing = requestAnimationFrame(() => draw(timer, drawing));
  const timer = window.setTimeout(() => draw(timer, drawing), HIDDEN_MS);
}

function draw(timer: number, drawing: number): void {
  window.clearTimeout(timer);
  cancelAnimationFrame(drawing);
  isDue = false;
  const frames = waiting;
  waiting = [];
  if (frames.length > 0) useLive.setState((state) => after(state, frames, Date.now()));
}

function address(): string {
  const url = new URL("./ws", window.location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.hash = "";
  return url.href;
}
