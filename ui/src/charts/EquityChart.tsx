// SPDX-License-Identifier: Apache-2.0
// Equity, and below it how far it stands under its highest value. The past comes from the engine,
// so a page that is opened late shows the whole session.
import { useQuery } from "@tanstack/react-query";
import { AreaSeries, type ISeriesApi } from "lightweight-charts";
import { useEffect, useMemo, useRef } from "react";
import { api, told } from "../api/client";
import { percent } from "../format/numbers";
import { millis } from "../format/times";
import { useLive } from "../stream/live";
import { drawdownLine, equityLine, joined } from "./series";
import { useChart } from "./useChart";

const DRAWDOWN_SHARE = 0.34; // of the height

interface Lines {
  equity: ISeriesApi<"Area">;
  drawdown: ISeriesApi<"Area">;
}

export function EquityChart({ showsDrawdown = true }: { showsDrawdown?: boolean }) {
  const { frame, chart, tokens } = useChart();
  const lines = useRef<Lines | null>(null);
  const points = usePoints();
  useEffect(() => {
    if (chart === null) return;
    const equity = chart.addSeries(AreaSeries, { lineWidth: 2, priceLineVisible: false });
    const drawdown = chart.addSeries(AreaSeries, DRAWDOWN, showsDrawdown ? 1 : 0);
    drawdown.applyOptions({ visible: showsDrawdown });
    const panes = chart.panes();
    panes[0]?.setStretchFactor(1 - DRAWDOWN_SHARE);
    panes[1]?.setStretchFactor(DRAWDOWN_SHARE);
    lines.current = { equity, drawdown };
    return () => {
      lines.current = null;
    };
  }, [chart, showsDrawdown]);
  useEffect(() => {
    if (chart === null) return;
    lines.current?.equity.applyOptions(area(tokens.accent));
    lines.current?.drawdown.applyOptions({ ...area(tokens.down), invertFilledArea: true });
  }, [chart, tokens]);
  useEffect(() => {
    if (chart === null || lines.current === null) return;
    const line = equityLine(points);
    lines.current.equity.setData(line);
    lines.current.drawdown.setData(drawdownLine(line));
    chart.timeScale().fitContent();
  }, [chart, points]);
  return (
    <div className="chart" ref={frame} role="img" aria-label="Equity and drawdown over time" />
  );
}

/** The curve; drawn anew twice a second at most, since each drawing takes all of it. */
function usePoints() {
  const past = useQuery({
    queryKey: ["history", useLive((live) => live.status?.started_at)],
    queryFn: () => told(api.GET("/portfolio/history")),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const newest = useLive((live) => Math.floor((live.equity.at(-1)?.atMs ?? 0) / 1000));
  return useMemo(() => {
    void newest;
    const known = (past.data ?? []).map((point) => ({
      atMs: millis(point.ts) ?? 0,
      equity: Number(point.equity),
    }));
    return joined(known, useLive.getState().equity);
  }, [past.data, newest]);
}

const DRAWDOWN = {
  lineWidth: 1,
  priceLineVisible: false,
  lastValueVisible: true,
  priceFormat: { type: "custom", formatter: (value: number) => percent(value / 100) },
} as const;

function area(colour: string) {
  return { lineColor: colour, topColor: `${colour}38`, bottomColor: `${colour}05` };
}
