// SPDX-License-Identifier: Apache-2.0
// The price chart with what chooses its symbol and the length of its candles.
import { useState } from "react";
import { choose, digits, useSymbol } from "../app/view";
import { PriceChart } from "../charts/PriceChart";
import { percent, price } from "../format/numbers";
import { useLive } from "../stream/live";
import { Loading, Panel } from "./Panel";

const LENGTHS = [
  { seconds: 5, word: "5s" },
  { seconds: 30, word: "30s" },
  { seconds: 60, word: "1m" },
  { seconds: 300, word: "5m" },
  { seconds: 900, word: "15m" },
] as const;

interface ChartPanelProps {
  className?: string;
  height: number | string;
  /** Whether spread and funding stand elsewhere on the screen. */
  isShort?: boolean;
}

export function ChartPanel({ className, height, isShort = false }: ChartPanelProps) {
  const [seconds, setSeconds] = useState<number>(5);
  const symbol = useSymbol();
  const symbols = useLive((live) => live.status?.symbols) ?? [];
  const quote = useLive((live) => live.quotes?.find((each) => each.symbol === symbol));
  const isOpen = useLive((live) => live.connection === "open");
  const tools = (
    <>
      {symbols.map((each) => (
        <button
          key={each}
          type="button"
          className="mini"
          aria-pressed={each === symbol}
          onClick={() => choose(each)}
        >
          {each}
        </button>
      ))}
      <span className="wide-only" style={{ width: 8 }} />
      {LENGTHS.map((each) => (
        <button
          key={each.word}
          type="button"
          className="mini"
          aria-pressed={each.seconds === seconds}
          onClick={() => setSeconds(each.seconds)}
        >
          {each.word}
        </button>
      ))}
    </>
  );
  const note = quote && symbol && (
    <>
      <b style={{ color: "var(--text)" }}>{price(quote.price, digits.of(symbol))}</b> USDT
      <span className="wide-only" hidden={isShort}>
        {" "}
        · spread {quote.spread_bps?.toFixed(2) ?? "–"} bps · funding{" "}
        {percent(quote.funding_rate, 4)}
      </span>
    </>
  );
  return (
    <Panel
      title={symbol ?? "Market"}
      note={note}
      tools={tools}
      className={className}
      height={height}
      isStale={!isOpen}
    >
      {symbol === null ? (
        <Loading lines={8} />
      ) : (
        <PriceChart symbol={symbol} seconds={seconds} key={symbol} />
      )}
    </Panel>
  );
}
