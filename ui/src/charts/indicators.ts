// SPDX-License-Identifier: Apache-2.0
// Indicators over the candles. The engine computes them; here they are only drawn: beside the
// price, or each in a pane of its own below it.
import { type IChartApi, type ISeriesApi, LineSeries, type LineWidth } from "lightweight-charts";
import { useEffect, useRef } from "react";
import { create } from "zustand";
import { type Length, useIndicators } from "../api/queries";
import type { Tokens } from "../app/tokens";
import { second } from "./series";

export const KINDS = ["ema", "sma", "bollinger", "rsi", "atr"] as const;
export type Kind = (typeof KINDS)[number];

export const NAMES: Record<Kind, string> = {
  ema: "EMA",
  sma: "SMA",
  bollinger: "Bollinger",
  rsi: "RSI",
  atr: "ATR",
};

const KEY = "hean.indicators";

/** Those that are shown, as this browser remembers them. */
export const useShown = create<{ shown: Kind[] }>(() => ({ shown: kept(readKept()) }));

/** Show one, or show it no more. */
export function toggle(kind: Kind): void {
  const { shown } = useShown.getState();
  const next = KINDS.filter((each) => shown.includes(each) !== (each === kind));
  localStorage.setItem(KEY, next.join(","));
  useShown.setState({ shown: next });
}

/** The kinds in a text that was kept, in their order; what is none of them is left out. */
export function kept(text: string): Kind[] {
  const words = text.split(",");
  return KINDS.filter((each) => words.includes(each));
}

function readKept(): string {
  return localStorage.getItem(KEY) ?? "";
}

/** The colour of a line by its name, such as `bollinger:20.upper`. */
export function colourOf(name: string, tokens: Tokens): string {
  const kind = name.split(":")[0] as Kind;
  const colours: Record<Kind, string> = {
    ema: tokens.warn,
    sma: tokens.replay,
    bollinger: tokens.quiet,
    rsi: tokens.accent,
    atr: tokens.warn,
  };
  return colours[kind] ?? tokens.quiet;
}

/** The name of a line as people write it: `Bollinger 20 upper`. */
export function wordOf(name: string): string {
  const [kind = "", rest = ""] = name.split(":");
  return `${NAMES[kind as Kind] ?? kind} ${rest.replace(".", " ")}`;
}

const OWN_SHARE = 0.26; // of the price's height, for each pane below it

/** Keep the lines of `shown` on a chart. *Returns*: what they are, for a legend. */
export function useIndicatorLines(
  chart: IChartApi | null,
  tokens: Tokens,
  symbol: string,
  seconds: Length,
  shown: readonly Kind[],
) {
  const asked = useIndicators(symbol, seconds, shown);
  const series = useRef(new Map<string, ISeriesApi<"Line">>());
  const lines = shown.length > 0 ? asked.data : undefined;
  useEffect(() => {
    if (chart === null) return;
    const drawn = series.current;
    return () => drawn.clear(); // they went with their chart
  }, [chart]);
  useEffect(() => {
    if (chart === null) return;
    const drawn = series.current;
    const wanted = new Set(lines?.lines.map((line) => line.name));
    for (const [name, line] of drawn) {
      if (wanted.has(name)) continue;
      chart.removeSeries(line);
      drawn.delete(name);
    }
    const panes = [...new Set(lines?.lines.map((line) => line.pane))].filter((p) => p !== "price");
    for (const { name, pane, values } of lines?.lines ?? []) {
      const at = pane === "price" ? 0 : panes.indexOf(pane) + 1;
      let line = drawn.get(name);
      if (line === undefined) {
        line = chart.addSeries(LineSeries, QUIET, at);
        drawn.set(name, line);
      }
      line.applyOptions({
        color: colourOf(name, tokens),
        lastValueVisible: at > 0,
        title: at > 0 ? NAMES[pane as Kind] : "",
      });
      line.setData(
        values.map((value, row) => {
          const time = second(lines?.ts[row] ?? 0);
          return value === null ? { time } : { time, value };
        }),
      );
    }
    for (const [at, pane] of chart.panes().entries()) pane.setStretchFactor(at ? OWN_SHARE : 1);
  }, [chart, lines, tokens]);
  return lines?.lines ?? [];
}

const QUIET = {
  lineWidth: 1 as LineWidth,
  priceLineVisible: false,
  crosshairMarkerVisible: false,
} as const;
