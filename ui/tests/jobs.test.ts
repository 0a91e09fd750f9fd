// SPDX-License-Identifier: Apache-2.0
// The form of a run, what is asked for it, and how runs are told and compared.
import { describe, expect, it } from "vitest";
import type { DataSet, DeclaredStrategy, Job } from "../src/api/documents";
import { askedOf, type Draft, draftOf, EMPTY, problems, symbolsOf } from "../src/jobs/form";
import { bestOf, differences, FIGURES, leftS, returnOf, tookS } from "../src/jobs/runs";
import { mergedJobs } from "../src/stream/state";

const declared = (name: string, more: object) => ({
  name,
  type: "float",
  default: 1,
  meaning: "",
  unit: "",
  low: null,
  high: null,
  choices: [],
  ...more,
});
const strategy = {
  name: "impulse",
  summary: "",
  parameters: [
    declared("threshold", { default: 3, low: 0.5, high: 20, unit: "sigmas" }),
    declared("hold", { type: "int", default: 96, low: 1 }),
    declared("calm", { type: "bool", default: true }),
    declared("side", { type: "text", default: "both", choices: ["both", "long"] }),
  ],
} as DeclaredStrategy;
const set = (symbol: string, market = "perp", kind = "candles") =>
  ({ id: `${market}/${symbol}/${kind}`, symbol, market, kind }) as DataSet;
const SETS = [set("BTCUSDT"), set("BTCUSDT", "perp", "funding"), set("BTCUSDT", "spot")];
const draft = (part: Partial<Draft>): Draft => ({
  ...EMPTY,
  strategy: "impulse",
  data: ["perp/BTCUSDT/candles"],
  ...part,
});
const job = (id: string, part: object = {}) => ({ job_id: id, state: "DONE", ...part }) as Job;

describe("the form", () => {
  it.each([
    [{}, undefined],
    [{ strategy: "" }, "strategy"],
    [{ data: [] }, "data"],
    [{ data: ["perp/BTCUSDT/funding"] }, "data"],
    [{ cash: "0.00" }, "cash"],
    [{ cash: "1e5" }, "cash"],
    [{ latencyMs: "-1" }, "latencyMs"],
    [{ seed: "1.5" }, "seed"],
    [{ start: "1 May" }, "start"],
    [{ start: "2025-02-01", end: "2025-01-01" }, "end"],
    [{ params: { threshold: "0.4" } }, "params.threshold"],
    [{ params: { threshold: "NaN" } }, "params.threshold"],
    [{ params: { hold: "2.5" } }, "params.hold"],
    [{ params: { hold: "0" } }, "params.hold"],
    [{ params: { side: "short" } }, "params.side"],
    [{ params: { threshold: "2, 3" } }, "params.threshold"],
    [{ kind: "evaluate", params: { threshold: "2, 3" } }, undefined],
    [{ kind: "evaluate", params: { threshold: "2,,3" } }, "params.threshold"],
  ] as [Partial<Draft>, string | undefined][])("of %j names %s", (part, field) => {
    const of = draft(part);
    const found = problems(of, of.strategy === "" ? undefined : strategy, SETS);
    expect(Object.keys(found)).toEqual(field === undefined ? [] : [field]);
  });

  it("asks for what differs from the defaults, typed", () => {
    const params = { threshold: "2.5", hold: "96", calm: "false", side: "" };
    const asked = askedOf(draft({ params, start: "2025-01-01" }), strategy, SETS);
    expect(asked).toEqual({
      strategy: "impulse",
      symbols: ["BTCUSDT"],
      data: ["perp/BTCUSDT/candles"],
      params: { threshold: 2.5, calm: false },
      cash: "10000",
      latency_ms: 50,
      seed: 0,
      title: "",
      start: "2025-01-01",
    });
  });

  it("makes a grid of what has several values, and comes back from what was asked", () => {
    const of = draft({ kind: "evaluate", params: { threshold: "2, 3", hold: "48" } });
    const asked = askedOf(of, strategy, SETS);
    expect(asked.grid).toEqual({ threshold: [2, 3] });
    expect(asked.params).toEqual({ hold: 48 });
    expect(draftOf("evaluate", asked as never)).toEqual(of);
  });

  it("names coins and their perpetual apart", () => {
    expect(symbolsOf(SETS)).toEqual(["BTCUSDT@perp", "BTCUSDT@spot"]);
    expect(symbolsOf(SETS.slice(0, 2))).toEqual(["BTCUSDT"]);
  });
});

describe("jobs of the stream", () => {
  it("change where they stand, and go when they are forgotten", () => {
    const known = mergedJobs(null, [job("b"), job("a")], true);
    const next = mergedJobs(known, [job("a", { state: "FORGOTTEN" }), job("c")], false);
    expect(next.map((each) => each.job_id)).toEqual(["c", "b"]);
  });
});

describe("runs", () => {
  const started_at = "2026-01-01T00:00:00Z";
  const now = Date.parse("2026-01-01T00:00:30Z");

  it("tell how long they take, and how long they will", () => {
    const running = job("a", { state: "RUNNING", started_at, progress_percent: 25 });
    expect(tookS(running, now)).toBe(30);
    expect(leftS(running, now)).toBe(90);
    expect(leftS({ ...running, progress_percent: 1 }, now)).toBeNull();
    expect(tookS(job("b", { started_at: null }), now)).toBeNull();
    expect(tookS(job("c", { started_at, ended_at: "2026-01-01T00:00:02Z" }), now)).toBe(2);
  });

  it("are laid side by side with the best marked, where there is one", () => {
    const jobs = [
      job("a", { figures: { net_pnl: "-3", sharpe: null, params: { hold: 1, x: 2 } } }),
      job("b", { figures: { net_pnl: "4", sharpe: 2, params: { hold: 5, x: 2 } } }),
    ];
    const row = (key: string) => FIGURES.find((each) => each.key === key) as never;
    expect(bestOf(row("net_pnl"), jobs)).toBe(1);
    expect(bestOf(row("sharpe"), jobs)).toBeNull();
    expect(bestOf(row("trades"), jobs)).toBeNull();
    expect(differences(jobs)).toEqual([{ name: "hold", values: ["1", "5"] }]);
    expect(FIGURES.map((each) => each.show(undefined)).join("")).not.toContain("NaN");
  });

  it("have a result over what they began with", () => {
    expect(returnOf(job("a", { figures: { net_pnl: "-50", initial_equity: "1000" } }))).toBe(-0.05);
    expect(returnOf(job("b", { figures: null }))).toBeNull();
  });
});
