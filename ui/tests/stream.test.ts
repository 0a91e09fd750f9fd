// SPDX-License-Identifier: Apache-2.0
// The client of the stream against a line that the test holds in its hands.
import { beforeEach, describe, expect, it } from "vitest";
import { type Connection, SILENCE_MS, type Socket, StreamClient } from "../src/stream/client";
import { type Frame, TOPICS } from "../src/stream/frames";

class Line implements Socket {
  sent: Record<string, unknown>[] = [];
  isClosed = false;
  onopen: Socket["onopen"] = null;
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(): void {
    this.isClosed = true;
  }
  says(document: unknown): void {
    this.onmessage?.({ data: JSON.stringify(document) });
  }
  opens(): void {
    (this.onopen as (() => void) | null)?.();
    this.says({ type: "auth", ok: true, role: "viewer" });
  }
  breaks(code = 1006): void {
    this.onclose?.({ code, reason: "" });
  }
  asked(topic: string) {
    return this.sent.filter((each) => each.topic === topic).at(-1);
  }
}

let lines: Line[];
let frames: Frame[];
let connections: Connection[];
let timers: { what: () => void; ms: number; isOff: boolean }[];
let client: StreamClient;

const line = () => lines.at(-1) as Line;
const fact = (seq: number, snapshot = false) => ({
  topic: "fills",
  seq,
  ts: "2026-01-01T00:00:00Z",
  snapshot,
  data: [{ exec_id: String(seq) }],
});

/** Let the newest timer of this length ring; the wait before a new try is any below the silence. */
function ring(isSilence: boolean): void {
  const due = timers.filter((each) => !each.isOff && (each.ms === SILENCE_MS) === isSilence).at(-1);
  if (due === undefined) throw new Error("no such timer");
  due.isOff = true;
  due.what();
}

beforeEach(() => {
  lines = [];
  frames = [];
  connections = [];
  timers = [];
  client = new StreamClient({
    token: "hean_secret",
    open: () => {
      lines.push(new Line());
      return line();
    },
    onFrame: (frame) => frames.push(frame),
    onConnection: (connection) => connections.push(connection),
    later: (what, ms) => {
      const timer = { what, ms, isOff: false };
      timers.push(timer);
      return () => {
        timer.isOff = true;
      };
    },
    random: () => 0.6,
  });
  client.start();
});

describe("the client of the stream", () => {
  it("says who it is in its first frame, then asks for every topic", () => {
    line().opens();
    expect(line().sent[0]).toEqual({ action: "auth", token: "hean_secret" });
    expect(
      line()
        .sent.slice(1)
        .map((each) => each.topic),
    ).toEqual(TOPICS);
    expect(connections).toEqual(["connecting", "open"]);
  });

  it("comes back and goes on from its last fact, but asks for states anew", () => {
    line().opens();
    line().says(fact(7, true));
    line().says({ ...fact(3), topic: "pnl", snapshot: true });
    line().breaks();
    expect(connections.at(-1)).toBe("waiting");
    ring(false);
    line().opens();
    expect(lines).toHaveLength(2);
    expect(line().asked("fills")).toMatchObject({ since: 7 });
    expect(line().asked("pnl")).not.toHaveProperty("since");
  });

  it("asks for the whole when a fact is missing, and passes no row with a hole", () => {
    line().opens();
    line().says(fact(1, true));
    line().says(fact(3));
    expect(frames.map((each) => each.seq)).toEqual([1]);
    expect(line().asked("fills")).not.toHaveProperty("since");
    line().says(fact(3, true));
    line().says(fact(4));
    expect(frames.map((each) => each.seq)).toEqual([1, 3, 4]);
  });

  it("takes each fact once", () => {
    line().opens();
    line().says(fact(1, true));
    line().says(fact(2));
    line().says(fact(2));
    expect(frames.map((each) => each.seq)).toEqual([1, 2]);
  });

  it("waits longer after each failure, with an end to that", () => {
    const waits = Array.from({ length: 8 }, () => {
      line().breaks();
      const wait = timers.filter((each) => !each.isOff && each.ms !== SILENCE_MS).at(-1)?.ms;
      ring(false);
      return wait;
    });
    expect(waits).toEqual([400, 800, 1600, 3200, 6400, 12000, 12000, 12000]);
  });

  it("takes silence for a dead line", () => {
    line().opens();
    const first = line();
    ring(true);
    expect(first.isClosed).toBe(true);
    expect(connections.at(-1)).toBe("waiting");
  });

  it("does not come back with a token that was refused, nor after it was stopped", () => {
    line().breaks(4401);
    expect(connections.at(-1)).toBe("refused");
    client.hurry();
    client.stop();
    client.hurry();
    expect(lines).toHaveLength(1);
  });

  it("is not upset by what it does not know", () => {
    line().opens();
    line().onmessage?.({ data: "{" });
    line().says(null);
    line().says({ topic: "weather", seq: 1, data: [] });
    line().says({ type: "pong" });
    expect(frames).toEqual([]);
  });
});
