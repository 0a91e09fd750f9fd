// SPDX-License-Identifier: Apache-2.0
// What a person types into the form of a backtest, and what is asked of the engine for it. Pure: a
// field says what is wrong with it before anything is sent, by the rules that the strategy itself
// has declared.
import type {
  BacktestAsked,
  DataSet,
  DeclaredParameter,
  DeclaredStrategy,
  EvaluateAsked,
} from "../api/documents";

export interface Draft {
  kind: "backtest" | "evaluate";
  strategy: string;
  data: string[];
  /** Text by parameter; only what differs from its default. For an evaluation, values by commas. */
  params: Record<string, string>;
  start: string;
  end: string;
  cash: string;
  latencyMs: string;
  seed: string;
  title: string;
}

export const EMPTY: Draft = {
  kind: "backtest",
  strategy: "",
  data: [],
  params: {},
  start: "",
  end: "",
  cash: "10000",
  latencyMs: "50",
  seed: "0",
  title: "",
};

const PRICES = new Set(["candles", "trades", "book"]);
const MONEY = /^(?!0+(\.0+)?$)(0|[1-9]\d{0,11})(\.\d{1,8})?$/;
const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** The value of a parameter's text. *Returns*: words instead, where it is none. */
export function parsed(declared: DeclaredParameter, text: string): unknown | Error {
  const { type, low, high, unit } = declared;
  if (type === "bool") return text === "true";
  if (type === "text") {
    const isKnown = declared.choices.length === 0 || declared.choices.includes(text);
    return isKnown ? text : new Error(`one of ${declared.choices.join(", ")}`);
  }
  const value = Number(text);
  const isNumber = text.trim() !== "" && Number.isFinite(value);
  if (!isNumber || (type === "int" && !Number.isInteger(value))) {
    return new Error(type === "int" ? "a whole number" : "a number");
  }
  if ((low !== null && value < low) || (high !== null && value > high)) {
    return new Error(`${low ?? "any"} to ${high ?? "any"} ${unit}`.trim());
  }
  return value;
}

/** What is wrong, by field; a parameter's is `params.name`. */
export function problems(
  draft: Draft,
  strategy: DeclaredStrategy | undefined,
  sets: readonly DataSet[],
): Record<string, string> {
  const found: Record<string, string> = {};
  if (strategy === undefined) found.strategy = "Choose a strategy.";
  const chosen = sets.filter((set) => draft.data.includes(set.id));
  if (!chosen.some((set) => PRICES.has(set.kind))) found.data = "Choose a market with prices.";
  if (!MONEY.test(draft.cash)) found.cash = "Money above zero, such as 10000.";
  if (!isCount(draft.latencyMs, 3_600_000)) found.latencyMs = "Milliseconds, 0 to 3600000.";
  if (!isCount(draft.seed, Number.MAX_SAFE_INTEGER)) found.seed = "A whole number from 0 on.";
  if (draft.start !== "" && !DAY.test(draft.start)) found.start = "A day, such as 2025-01-31.";
  if (draft.end !== "" && !DAY.test(draft.end)) found.end = "A day, such as 2025-01-31.";
  if (draft.start !== "" && draft.end !== "" && draft.start >= draft.end) {
    found.end = "The end is not after the start.";
  }
  for (const declared of strategy?.parameters ?? []) {
    for (const text of textsOf(draft, declared.name)) {
      const value = parsed(declared, text);
      if (value instanceof Error) found[`params.${declared.name}`] = `Allowed: ${value.message}.`;
    }
  }
  return found;
}

/** Symbols of the chosen markets; of coins and their perpetual, each says which it is. */
export function symbolsOf(chosen: readonly DataSet[]): string[] {
  const priced = chosen.filter((set) => PRICES.has(set.kind));
  const markets = new Map<string, Set<string>>();
  for (const { symbol, market } of priced) {
    markets.set(symbol, (markets.get(symbol) ?? new Set()).add(market));
  }
  return [...markets].flatMap(([symbol, of]) =>
    of.size === 1 ? [symbol] : [...of].map((market) => `${symbol}@${market}`),
  );
}

/** What is asked of the engine. Call it once there are no problems. */
export function askedOf(
  draft: Draft,
  strategy: DeclaredStrategy,
  sets: readonly DataSet[],
): EvaluateAsked {
  const params: Record<string, unknown> = {};
  const grid: Record<string, unknown[]> = {};
  for (const declared of strategy.parameters) {
    const values = textsOf(draft, declared.name).map((text) => parsed(declared, text));
    if (values.length > 1) grid[declared.name] = values;
    else if (values.length === 1 && values[0] !== declared.default) {
      params[declared.name] = values[0];
    }
  }
  const asked: BacktestAsked = {
    strategy: strategy.name,
    symbols: symbolsOf(sets.filter((set) => draft.data.includes(set.id))),
    data: draft.data,
    params,
    cash: draft.cash,
    latency_ms: Number(draft.latencyMs),
    seed: Number(draft.seed),
    title: draft.title.trim(),
  } as BacktestAsked;
  if (draft.start !== "") asked.start = draft.start;
  if (draft.end !== "") asked.end = draft.end;
  return (draft.kind === "evaluate" ? { ...asked, grid } : asked) as EvaluateAsked;
}

/** The form as it was when a job was asked for. */
export function draftOf(kind: Draft["kind"], asked: Record<string, unknown>): Draft {
  const of = asked as Partial<EvaluateAsked>;
  const params: Record<string, string> = {};
  for (const [name, value] of Object.entries(of.params ?? {})) params[name] = String(value);
  for (const [name, values] of Object.entries(of.grid ?? {})) params[name] = values.join(", ");
  return {
    kind,
    strategy: of.strategy ?? "",
    data: [...(of.data ?? [])],
    params,
    start: (of.start ?? "").slice(0, 10),
    end: (of.end ?? "").slice(0, 10),
    cash: of.cash ?? EMPTY.cash,
    latencyMs: String(of.latency_ms ?? EMPTY.latencyMs),
    seed: String(of.seed ?? EMPTY.seed),
    title: of.title ?? "",
  };
}

/** The texts of a parameter: none if it keeps its default, several where a grid is typed. */
function textsOf(draft: Draft, name: string): string[] {
  const text = (draft.params[name] ?? "").trim();
  if (text === "") return [];
  return draft.kind === "evaluate" ? text.split(",").map((each) => each.trim()) : [text];
}

function isCount(text: string, most: number): boolean {
  return /^\d+$/.test(text) && Number(text) <= most;
}
