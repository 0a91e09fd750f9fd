// SPDX-License-Identifier: Apache-2.0
// Equity of finished runs over their time: one with its drawdown below, several as results in
// percent over one another.
import {
  AreaSeries,
  type IChartApi,
  type ISeriesApi,
  LineSeries,
  type SeriesType,
} from "lightweight-charts";
import { useCallback, useEffect, useRef } from "react";
import type { Curve } from "../api/documents";
import { percent } from "../format/numbers";
import { millis } from "../format/times";
import { drawdownLine, equityLine } from "./series";
import { useChart } from "./useChart";

const PERCENT = {
  type: "custom",
  formatter: (value: number) => percent(value / 100),
} as const;
const DRAWDOWN_SHARE = 0.3; // of the height

export interface NamedCurve {
  name: string;
  curve: Curve;
  colour: string;
}

/** One run. */
export function CurveChart({ curve }: { curve: Curve }) {
  const { frame, chart, tokens } = useChart();
  const begin = useSeries();
  useEffect(() => {
    if (chart === null) return;
    const look = { lineWidth: 2, priceLineVisible: false } as const;
    const add = begin(chart);
    const equity = add(chart.addSeries(AreaSeries, { ...look, ...area(tokens.accent) }));
    const below = { ...look, lineWidth: 1, priceFormat: PERCENT, invertFilledArea: true } as const;
    const drawdown = add(chart.addSeries(AreaSeries, { ...below, ...area(tokens.down) }, 1));
    chart.panes()[0]?.setStretchFactor(1 - DRAWDOWN_SHARE);
    chart.panes()[1]?.setStretchFactor(DRAWDOWN_SHARE);
    const line = equityLine(pointsOf(curve));
    equity.setData(line);
    drawdown.setData(drawdownLine(line));
    chart.applyOptions({ timeScale: { secondsVisible: false } });
    chart.timeScale().fitContent();
  }, [chart, tokens, curve, begin]);
  return <div className="chart" ref={frame} role="img" aria-label="Equity and drawdown" />;
}

/** Several, each from its own beginning. */
export function CurvesChart({ curves }: { curves: readonly NamedCurve[] }) {
  const { frame, chart } = useChart();
  const begin = useSeries();
  useEffect(() => {
    if (chart === null) return;
    const add = begin(chart);
    for (const { curve, colour } of curves) {
      const look = { color: colour, lineWidth: 2, priceLineVisible: false } as const;
      const line = add(chart.addSeries(LineSeries, { ...look, priceFormat: PERCENT }));
      const points = equityLine(pointsOf(curve));
      const first = points[0]?.value ?? 1;
      line.setData(points.map(({ time, value }) => ({ time, value: (value / first - 1) * 100 })));
    }
    chart.applyOptions({ timeScale: { secondsVisible: false } });
    chart.timeScale().fitContent();
  }, [chart, curves, begin]);
  const names = curves.map((each) => each.name).join(", ");
  return <div className="chart" ref={frame} role="img" aria-label={`Results of ${names}`} />;
}

/** The link that the licence of the charts asks for. */
export function Credit() {
  return (
    <a className="credit" href="https://www.tradingview.com" target="_blank" rel="noreferrer">
      Charts by TradingView
    </a>
  );
}

/** Begins a drawing: what an earlier one has left on this chart goes. Nothing is taken off a chart
 * that is gone, since it throws. */
function useSeries() {
  const drawn = useRef<{ chart: IChartApi | null; series: ISeriesApi<SeriesType>[] }>({
    chart: null,
    series: [],
  });
  return useCallback((chart: IChartApi) => {
    if (drawn.current.chart === chart) {
      for (const series of [...drawn.current.series].reverse()) chart.removeSeries(series);
    }
    drawn.current = { chart, series: [] };
    return <Series extends ISeriesApi<SeriesType>>(series: Series): Series => {
      drawn.current.series.push(series);
      return series;
    };
  }, []);
}

function pointsOf(curve: Curve) {
  return curve.ts.map((ts, n) => ({ atMs: millis(ts) ?? 0, equity: curve.equity[n] ?? 0 }));
}

function area(colour: string) {
  return { lineColor: colour, topColor: `${colour}38`, bottomColor: `${colour}05` };
}
