// SPDX-License-Identifier: Apache-2.0
// The client of the live stream. It says who it is in its first frame, asks for its topics, and
// comes back by itself after a loss: facts go on from the last number it has, states are told
// anew. A number that is missing in a row of facts makes it ask for the whole again, so no screen
// shows a row with a hole. It knows neither React nor the clock of the machine: both are handed in.
import { FACTS, type Frame, frameOf, TOPICS, type Topic } from "./frames";

export type Connection = "connecting" | "open" | "waiting" | "refused" | "closed";

/** What of a WebSocket is used. */
export interface Socket {
  send(text: string): void;
  close(): void;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: string }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
}

export interface StreamOptions {
  token: string;
  open: () => Socket;
  onFrame: (frame: Frame) => void;
  onConnection: (connection: Connection, why: string) => void;
  later: (what: () => void, ms: number) => () => void;
  random: () => number;
}

export const WAIT_MS = 500; // before the first new try; doubled for each that fails
export const WAIT_MS_MAX = 15_000;
export const SILENCE_MS = 6_000; // the engine says its status each second: longer is a dead line
const NOT_KNOWN = 4401;

export class StreamClient {
  private socket: Socket | null = null;
  private readonly last = new Map<Topic, number>();
  private failures = 0;
  private isWanted = false;
  private cancelWait: () => void = () => {};
  private cancelSilence: () => void = () => {};

  constructor(private readonly options: StreamOptions) {}

  /** Connect, and stay connected until `stop`. */
  start(): void {
    if (this.isWanted) return;
    this.isWanted = true;
    this.connect();
  }

  /** Let go; nothing is told any more. */
  stop(): void {
    this.isWanted = false;
    this.cancelWait();
    this.drop();
    this.options.onConnection("closed", "");
  }

  /** Try at once: the network is back, or somebody asked for it. */
  hurry(): void {
    if (!this.isWanted || this.socket !== null) return;
    this.cancelWait();
    this.connect();
  }

  private connect(): void {
    this.options.onConnection("connecting", "");
    const socket = this.options.open();
    this.socket = socket;
    this.heard();
    socket.onopen = () => {
      socket.send(JSON.stringify({ action: "auth", token: this.options.token }));
    };
    socket.onmessage = (event) => this.hear(event.data);
    socket.onclose = (event) => this.lost(event.code, event.reason);
  }

  private hear(text: string): void {
    this.heard();
    let said: Record<string, unknown> | null;
    try {
      said = JSON.parse(text);
    } catch {
      return; // not of ours
    }
    if (said?.type === "auth") {
      this.failures = 0;
      this.options.onConnection("open", "");
      for (const topic of TOPICS) this.subscribe(topic, this.last.get(topic));
      return;
    }
    const frame = frameOf(said);
    if (frame !== null) this.take(frame);
  }

  private take(frame: Frame): void {
    const last = this.last.get(frame.topic);
    if (!frame.snapshot && last !== undefined && FACTS.includes(frame.topic)) {
      if (frame.seq <= last) return; // told already
      if (frame.seq > last + 1) {
        this.last.delete(frame.topic);
        this.subscribe(frame.topic, undefined);
        return;
      }
    }
    this.last.set(frame.topic, frame.seq);
    this.options.onFrame(frame);
  }

  private subscribe(topic: Topic, since: number | undefined): void {
    const goesOn = since !== undefined && FACTS.includes(topic);
    this.socket?.send(JSON.stringify({ action: "subscribe", topic, ...(goesOn ? { since } : {}) }));
  }

  private heard(): void {
    this.cancelSilence();
    this.cancelSilence = this.options.later(() => this.lost(0, "silence"), SILENCE_MS);
  }

  private lost(code: number, reason: string): void {
    if (this.socket === null) return;
    this.drop();
    if (!this.isWanted) return;
    if (code === NOT_KNOWN) {
      this.isWanted = false;
      this.options.onConnection("refused", reason);
      return;
    }
    const longest = Math.min(WAIT_MS_MAX, WAIT_MS * 2 ** this.failures);
    this.failures += 1;
    this.options.onConnection("waiting", reason);
    // Half of it by chance: many pages that lost one engine shall not come back at one moment.
    const wait = longest * (0.5 + this.options.random() / 2);
    this.cancelWait = this.options.later(() => this.connect(), wait);
  }

  private drop(): void {
    this.cancelSilence();
    const socket = this.socket;
    this.socket = null;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}
