// SPDX-License-Identifier: Apache-2.0
// The price chart with what chooses its symbol and the length of its candles.
import { useState } from "react";
import { LENGTHS_S, type Length, useBars } from "../api/queries";
import { choose, digits, useSymbol } from "../app/view";
import { KINDS, type Kind, NAMES, toggle, useShown } from "../charts/indicators";
import { PriceChart } from "../charts/PriceChart";
import { percent, price } from "../format/numbers";
import { useLive } from "../stream/live";
import { Failed, Loading, Panel } from "./Panel";

const BUTTONS_MAX = 3; // more symbols than that are a list, so that the head stays one line

interface ChartPanelProps {
  className?: string;
  height: number | string;
  /** Whether spread and funding stand elsewhere on the screen. */
  isShort?: boolean;
  hasIndicators?: boolean;
}

export function ChartPanel(props: ChartPanelProps) {
  const { className, height, isShort = false, hasIndicators = false } = props;
  const [seconds, setSeconds] = useState<Length>(5);
  const shown = useShown((state) => state.shown);
  const symbol = useSymbol();
  const symbols = useLive((live) => live.status?.symbols) ?? [];
  const quote = useLive((live) => live.quotes?.find((each) => each.symbol === symbol));
  const isOpen = useLive((live) => live.connection === "open");
  const tools = (
    <>
      {symbols.length > BUTTONS_MAX && (
        <select
          className="field"
          aria-label="Symbol of the chart"
          value={symbol ?? ""}
          onChange={(event) => choose(event.target.value)}
        >
          {symbols.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      )}
      {(symbols.length > BUTTONS_MAX ? [] : symbols).map((each) => (
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
      {hasIndicators &&
        KINDS.map((each) => (
          <button
            key={each}
            type="button"
            className="mini"
            aria-pressed={shown.includes(each)}
            onClick={() => toggle(each)}
          >
            {NAMES[each]}
          </button>
        ))}
      <span className="wide-only" style={{ width: 8 }} />
      {LENGTHS_S.map((each) => (
        <button
          key={each}
          type="button"
          className="mini"
          aria-pressed={each === seconds}
          onClick={() => setSeconds(each)}
        >
          {each < 60 ? `${each}s` : `${each / 60}m`}
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
        <Candles
          symbol={symbol}
          seconds={seconds}
          shown={hasIndicators ? shown : undefined}
          key={symbol}
        />
      )}
    </Panel>
  );
}

interface CandlesProps {
  symbol: string;
  seconds: Length;
  shown?: readonly Kind[];
}

/** The chart, or why there is none; one that was there stays while its next bars fail. */
function Candles({ symbol, seconds, shown }: CandlesProps) {
  const bars = useBars(symbol, seconds);
  if (bars.isError && bars.data === undefined) {
    return <Failed error={bars.error} again={() => void bars.refetch()} />;
  }
  return <PriceChart symbol={symbol} seconds={seconds} shown={shown} />;
}
