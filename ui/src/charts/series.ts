// SPDX-License-Identifier: Apache-2.0
// What the charts draw, made of documents. Pure: no canvas here.
import type {
  CandlestickData,
  LineData,
  SeriesMarker,
  Time,
  UTCTimestamp,
} from "lightweight-charts";
import type { Bar, Fill, Order } from "../api/documents";
import { millis } from "../format/times";
import type { EquityPoint } from "../stream/state";

/** Seconds of a moment, as the charts count time. */
export function second(moment: string | number): UTCTimestamp {
  return Math.floor((millis(moment) ?? 0) / 1000) as UTCTimestamp;
}

export interface Candle extends CandlestickData<UTCTimestamp> {
  volume: number;
}

/** Bars as candles, the oldest first. */
export function candles(bars: readonly Bar[]): Candle[] {
  return bars.map(({ ts, ...bar }) => ({ time: second(ts), ...bar }));
}

/** The last candle with a price of `at` in it: the same one grown, or the next one opened. */
export function grown(last: Candle, at: number, price: number, seconds: number): Candle {
  const time = (at - (at % seconds)) as UTCTimestamp;
  if (time <= last.time) {
    const [high, low] = [Math.max(last.high, price), Math.min(last.low, price)];
    return { ...last, high, low, close: price };
  }
  return { time, open: price, high: price, low: price, close: price, volume: 0 };
}

/** Arrows where orders were filled, of one symbol, the oldest first. */
export function fillMarkers(
  fills: readonly Fill[],
  symbol: string,
  seconds: number,
  colours: { up: string; down: string },
): SeriesMarker<Time>[] {
  return fills
    .filter((fill) => fill.symbol === symbol)
    .map((fill): SeriesMarker<Time> => {
      const at = second(fill.ts);
      const isBuy = fill.side === "BUY";
      return {
        time: (at - (at % seconds)) as UTCTimestamp,
        position: isBuy ? "belowBar" : "aboveBar",
        shape: isBuy ? "arrowUp" : "arrowDown",
        color: isBuy ? colours.up : colours.down,
        id: fill.exec_id,
      };
    })
    .reverse();
}

const OPEN = new Set(["INTENT", "SENT", "WORKING", "PARTIAL", "UNKNOWN", "QUARANTINE"]);

/** Whether an order may still be filled. */
export function isOpen(order: Order): boolean {
  return OPEN.has(order.status);
}

/** The curve of the server with what the stream has said since. */
export function joined(told: readonly EquityPoint[], heard: readonly EquityPoint[]): EquityPoint[] {
  const last = told.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY;
  return [...told, ...heard.filter((point) => point.atMs > last)];
}

/** Equity by seconds, each second once. */
export function equityLine(points: readonly EquityPoint[]): LineData<UTCTimestamp>[] {
  const found: LineData<UTCTimestamp>[] = [];
  for (const { atMs, equity } of points) {
    const time = second(atMs);
    if (found.at(-1)?.time === time) found.pop();
    found.push({ time, value: equity });
  }
  return found;
}

/** How far below its highest value the equity was, in percent, at most 0. */
export function drawdownLine(line: readonly LineData<UTCTimestamp>[]): LineData<UTCTimestamp>[] {
  let peak = Number.NEGATIVE_INFINITY;
  return line.map(({ time, value }) => {
    peak = Math.max(peak, value);
    return { time, value: peak > 0 ? (value / peak - 1) * 100 : 0 };
  });
}
