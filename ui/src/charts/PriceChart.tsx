// SPDX-License-Identifier: Apache-2.0
// The price of a symbol as candles, with an arrow for each fill, a line for each open order and one
// for the average of what is held. The last candle grows with the stream.
import {
  CandlestickSeries,
  createSeriesMarkers,
  HistogramSeries,
  type IPriceLine,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  LineStyle,
  type Time,
} from "lightweight-charts";
import { useEffect, useRef } from "react";
import type { Line } from "../api/documents";
import { type Length, useBars } from "../api/queries";
import type { Tokens } from "../app/tokens";
import { digits } from "../app/view";
import { price } from "../format/numbers";
import { useLive } from "../stream/live";
import { colourOf, type Kind, useIndicatorLines, wordOf } from "./indicators";
import { type Candle, candles, fillMarkers, grown, isOpen, second } from "./series";
import { useChart } from "./useChart";

interface Series {
  candle: ISeriesApi<"Candlestick">;
  volume: ISeriesApi<"Histogram">;
  markers: ISeriesMarkersPluginApi<Time>;
}

interface PriceChartProps {
  symbol: string;
  seconds: Length;
  /** Indicators beside the candles. */
  shown?: readonly Kind[];
}

const NONE: readonly Kind[] = [];

export function PriceChart({ symbol, seconds, shown: kinds = NONE }: PriceChartProps) {
  const { frame, chart, tokens } = useChart();
  const series = useRef<Series | null>(null);
  const last = useRef<Candle | null>(null);
  const lines = useRef<IPriceLine[]>([]);
  const shown = useRef("");
  const bars = useBars(symbol, seconds);
  const quote = useLive((live) => live.quotes?.find((each) => each.symbol === symbol));
  const fills = useLive((live) => live.fills);
  const orders = useLive((live) => live.orders);
  const held = useLive((live) => live.positions?.find((each) => each.symbol === symbol));

  useEffect(() => {
    if (chart === null) return;
    const candle = chart.addSeries(CandlestickSeries, { borderVisible: false });
    const volume = chart.addSeries(HistogramSeries, { priceScaleId: "", lastValueVisible: false });
    volume.priceScale().applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
    candle.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.2 } });
    series.current = { candle, volume, markers: createSeriesMarkers(candle, []) };
    return () => {
      series.current = null;
      lines.current = [];
      shown.current = "";
    };
  }, [chart]);

  useEffect(() => {
    if (chart === null) return;
    series.current?.candle.applyOptions({
      upColor: tokens.up,
      downColor: tokens.down,
      wickUpColor: tokens.up,
      wickDownColor: tokens.down,
    });
  }, [chart, tokens]);

  useEffect(() => {
    if (chart === null || series.current === null || bars.data === undefined) return;
    const made = candles(bars.data);
    const precision = digits.of(symbol);
    series.current.candle.applyOptions({
      priceFormat: { type: "price", precision, minMove: 10 ** -precision },
    });
    series.current.candle.setData(made);
    series.current.volume.setData(
      made.map(({ time, volume, open, close }) => ({
        time,
        value: volume,
        color: close >= open ? tokens.upWash : tokens.downWash,
      })),
    );
    last.current = made.at(-1) ?? null;
    if (shown.current !== `${symbol}/${seconds}` && made.length > 0) {
      shown.current = `${symbol}/${seconds}`;
      chart.timeScale().applyOptions({ barSpacing: 8, secondsVisible: seconds < 60 });
      chart.timeScale().scrollToRealTime();
    }
  }, [chart, bars.data, seconds, symbol, tokens]);

  useEffect(() => {
    if (chart === null || last.current === null || !quote?.price || !quote.ts) return;
    last.current = grown(last.current, second(quote.ts), quote.price, seconds);
    series.current?.candle.update(last.current);
  }, [chart, quote, seconds]);

  useEffect(() => {
    if (chart === null) return;
    series.current?.markers.setMarkers(fillMarkers(fills ?? [], symbol, seconds, tokens));
  }, [chart, fills, symbol, seconds, tokens]);

  useEffect(() => {
    const candle = series.current?.candle;
    if (chart === null || candle === undefined) return;
    for (const line of lines.current) candle.removePriceLine(line);
    lines.current = [];
    const draw = (price: string | null | undefined, title: string, color: string) => {
      if (!price) return;
      const style = { lineWidth: 1, lineStyle: LineStyle.Dashed, axisLabelVisible: true } as const;
      lines.current.push(candle.createPriceLine({ price: Number(price), title, color, ...style }));
    };
    for (const order of (orders ?? []).filter((o) => o.symbol === symbol && isOpen(o))) {
      const color = order.side === "BUY" ? tokens.up : tokens.down;
      const word = order.trigger_price ? "stop" : order.side.toLowerCase();
      draw(order.trigger_price ?? order.price, `${word} ${order.qty}`, color);
    }
    if (held) draw(held.avg_price, "average", tokens.accent);
  }, [chart, orders, held, symbol, tokens]);

  const indicators = useIndicatorLines(chart, tokens, symbol, seconds, kinds);

  return (
    <>
      {indicators.length > 0 && (
        <Legend lines={indicators} places={digits.of(symbol)} tokens={tokens} />
      )}
      <div className="chart" ref={frame} role="img" aria-label={`Price of ${symbol} over time`} />
      <a className="credit" href="https://www.tradingview.com" target="_blank" rel="noreferrer">
        Charts by TradingView
      </a>
    </>
  );
}

interface LegendProps {
  lines: readonly Line[];
  places: number;
  tokens: Tokens;
}

/** What the lines are, with their last values. */
function Legend({ lines, places, tokens }: LegendProps) {
  return (
    <ul className="legend" aria-label="Indicators">
      {lines.map(({ name, values }) => (
        <li key={name}>
          <i style={{ background: colourOf(name, tokens) }} aria-hidden="true" />
          {wordOf(name)} <b>{price(values.at(-1), name.startsWith("rsi") ? 1 : places)}</b>
        </li>
      ))}
    </ul>
  );
}
