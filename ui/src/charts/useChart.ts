// SPDX-License-Identifier: Apache-2.0
// A chart on the page: made once for its element, as large as it is, in the colours in force. The
// library's own mark is off, since it brings a style of its own that the page's policy refuses; the
// link that its licence asks for stands beside the chart instead.
import {
  type ChartOptions,
  ColorType,
  CrosshairMode,
  createChart,
  type DeepPartial,
  type IChartApi,
} from "lightweight-charts";
import { type RefObject, useEffect, useRef, useState } from "react";
import { useScheme } from "../app/theme";
import { TOKENS, type Tokens } from "../app/tokens";

/** The chart of an element, `null` until it is there, and the colours in force. */
export function useChart(): {
  frame: RefObject<HTMLDivElement>;
  chart: IChartApi | null;
  tokens: Tokens;
} {
  const frame = useRef<HTMLDivElement>(null);
  const [chart, setChart] = useState<IChartApi | null>(null);
  const tokens = TOKENS[useScheme((state) => state.scheme)];
  useEffect(() => {
    if (frame.current === null) return;
    const made = createChart(frame.current, {
      autoSize: true,
      layout: { attributionLogo: false },
    });
    setChart(made);
    return () => {
      setChart(null);
      made.remove();
    };
  }, []);
  useEffect(() => chart?.applyOptions(optionsOf(tokens)), [chart, tokens]);
  return { frame, chart, tokens };
}

function optionsOf(tokens: Tokens): DeepPartial<ChartOptions> {
  const crosshair = { color: tokens.quiet, labelBackgroundColor: tokens.raised };
  return {
    layout: {
      background: { type: ColorType.Solid, color: tokens.panel },
      textColor: tokens.quiet,
      fontFamily: '"Inter Variable", system-ui, sans-serif',
      fontSize: 11,
      panes: { separatorColor: tokens.line, enableResize: false },
    },
    grid: { vertLines: { color: tokens.grid }, horzLines: { color: tokens.grid } },
    rightPriceScale: { borderColor: tokens.line },
    timeScale: {
      borderColor: tokens.line,
      timeVisible: true,
      secondsVisible: true,
      rightOffset: 4,
    },
    crosshair: { mode: CrosshairMode.Normal, vertLine: crosshair, horzLine: crosshair },
  };
}
