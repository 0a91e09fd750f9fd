// SPDX-License-Identifier: Apache-2.0
// What frames make of the state of the page.
import { describe, expect, it } from "vitest";
import type { Order, Portfolio } from "../src/api/documents";
import { modeOf } from "../src/app/mode";
import { candles, drawdownLine, equityLine, grown as grownCandle } from "../src/charts/series";
import { after, EMPTY, grown, mergedOrders } from "../src/stream/state";

const order = (id: string, status = "WORKING") => ({ client_order_id: id, status }) as Order;
const ids = (orders: Order[]) => orders.map((each) => `${each.client_order_id}:${each.status}`);
const account = (ts: string, equity: string) => ({ ts, equity }) as Portfolio;

describe("orders", () => {
  it("change where they stand, and new ones go on top", () => {
    const known = mergedOrders(null, [order("b"), order("a")], true);
    const next = mergedOrders(known, [order("a", "FILLED"), order("c"), order("d")], false);
    expect(ids(next)).toEqual(["d:WORKING", "c:WORKING", "b:WORKING", "a:FILLED"]);
  });
});

describe("the state", () => {
  it("keeps facts the newest first and tells when a topic was heard", () => {
    const frame = { topic: "fills", seq: 1, ts: "", snapshot: true, data: [{ exec_id: "1" }] };
    const news = { ...frame, seq: 2, snapshot: false, data: [{ exec_id: "2" }, { exec_id: "3" }] };
    const state = after(EMPTY, [frame, news] as never, 42);
    expect(state.fills?.map((each) => each.exec_id)).toEqual(["3", "2", "1"]);
    expect(state.heardMs.fills).toBe(42);
    expect(state.orders).toBe(EMPTY.orders);
  });
});

describe("the curve", () => {
  it("has one point a second and begins anew with another life of the engine", () => {
    let curve = grown([], account("2026-01-01T00:00:00.100000000Z", "100"));
    curve = grown(curve, account("2026-01-01T00:00:00.900000000Z", "101"));
    curve = grown(curve, account("2026-01-01T00:00:01Z", "99"));
    expect(curve.map((each) => each.equity)).toEqual([101, 99]);
    expect(grown(curve, account("2025-12-31T00:00:00Z", "7"))).toHaveLength(1);
    expect(drawdownLine(equityLine(curve)).map((each) => each.value.toFixed(2))).toEqual([
      "0.00",
      "-1.98",
    ]);
  });
});

describe("candles", () => {
  const bar = (ts: string, open: number, high: number, low: number, close: number) => ({
    ts,
    open,
    high,
    low,
    close,
    volume: 1,
  }); // prettier-ignore

  it("are the bars, and grow with the price", () => {
    const made = candles([
      bar("2026-01-01T00:00:00Z", 1, 3, 0.5, 2),
      bar("2026-01-01T00:01:00Z", 1, 1, 1, 1),
    ]);
    expect(made[0]).toMatchObject({ open: 1, high: 3, low: 0.5, close: 2, volume: 1 });
    const last = made[1];
    if (last === undefined) throw new Error("no candle");
    expect(grownCandle(last, last.time + 59, 5, 60)).toMatchObject({ high: 5, close: 5 });
    expect(grownCandle(last, last.time + 60, 5, 60)).toMatchObject({
      open: 5,
      time: last.time + 60,
    });
  });
});

describe("the mode", () => {
  it("is the server's word, for three seconds", () => {
    expect(modeOf("LIVE", 1_000, 4_000)).toBe("LIVE");
    expect(modeOf("LIVE", 1_000, 4_001)).toBe("UNKNOWN");
    expect(modeOf(undefined, undefined, 0)).toBe("UNKNOWN");
    expect(modeOf("SOMETHING", 0, 0)).toBe("UNKNOWN");
  });
});
