// SPDX-License-Identifier: Apache-2.0
// What it costs to trade a symbol now and to hold it: the spread, as it has been since the screen
// was opened, and the funding that is paid next.
import { useEffect, useState } from "react";
import type { Position, Quote } from "../api/documents";
import { useNow } from "../app/clock";
import { digits } from "../app/view";
import { percent, price, UNKNOWN } from "../format/numbers";
import { clock, millis, span } from "../format/times";
import { Gain } from "../parts/Amount";
import { Empty, Loading, Panel } from "../parts/Panel";
import { useLive } from "../stream/live";

const KEPT = 240;
const EVERY_MS = 500;
const YEAR_H = 24 * 365;

interface CostsProps {
  symbol: string | null;
  className: string;
}

export function CostsPanel({ symbol, className }: CostsProps) {
  const quote = useLive((live) => live.quotes?.find((each) => each.symbol === symbol));
  const held = useLive((live) => live.positions?.find((each) => each.symbol === symbol));
  const isLive = useLive((live) => live.connection === "open");
  const known = useLive((live) => live.quotes !== null);
  return (
    <Panel
      title="Spread and funding"
      note={symbol ?? ""}
      className={className}
      isStale={!isLive && known}
    >
      {!known && <Loading lines={6} />}
      {known && !quote && <Empty what="No market">The engine trades no symbol yet.</Empty>}
      {quote && <Costs quote={quote} held={held} key={quote.symbol} />}
    </Panel>
  );
}

function Costs({ quote, held }: { quote: Quote; held: Position | undefined }) {
  const spreads = useSpreads(quote.symbol);
  const nowMs = useNow();
  const { bid, ask, funding_rate: rate, spread_bps: spread } = quote;
  const nextMs = millis(quote.next_funding);
  const wide = spreads.length > 0 ? Math.max(...spreads) : null;
  const usual = spreads.length > 0 ? spreads.reduce((a, b) => a + b) / spreads.length : null;
  return (
    <>
      <dl className="facts">
        <dt>Spread</dt>
        <dd>
          {bid && ask ? price(ask - bid, digits.of(quote.symbol)) : UNKNOWN} USDT,{" "}
          {price(spread, 3)} bps
        </dd>
        <dt>Usual, widest since here</dt>
        <dd>
          {price(usual, 3)}, {price(wide, 3)} bps
        </dd>
        <dt>Funding</dt>
        <dd>
          {percent(rate, 4)} <span className="quiet">{payerOf(rate)}</span>
        </dd>
        <dt>In a year, every eight hours</dt>
        <dd>{percent(rate === null ? null : (rate * YEAR_H) / 8)}</dd>
        <dt>Next</dt>
        <dd>
          {clock(quote.next_funding)} UTC
          {nextMs !== null && nextMs > nowMs && `, in ${span((nextMs - nowMs) / 1000)}`}
        </dd>
        <dt>Your position then</dt>
        <dd>
          {held && rate !== null ? (
            <>
              <Gain value={fundingOf(held, rate)} /> USDT
            </>
          ) : (
            <span className="quiet">nothing is held</span>
          )}
        </dd>
      </dl>
      <Sparks values={spreads} />
    </>
  );
}

/** What the next payment brings or takes at this rate and price, in quote currency. */
export function fundingOf(held: Position, rate: number): number {
  return -Number(held.qty) * Number(held.mark_price ?? held.avg_price) * rate;
}

function payerOf(rate: number | null): string {
  if (rate === null || rate === 0) return "";
  return rate > 0 ? "longs pay shorts" : "shorts pay longs";
}

/** The spreads of a symbol in basis points since it is looked at, two a second. */
function useSpreads(symbol: string): readonly number[] {
  const [spreads, setSpreads] = useState<readonly number[]>([]);
  useEffect(() => {
    const look = () => {
      const quote = useLive.getState().quotes?.find((each) => each.symbol === symbol);
      const spread = quote?.spread_bps;
      if (spread == null) return;
      setSpreads((before) => [...before, spread].slice(-KEPT));
    };
    look();
    const timer = window.setInterval(look, EVERY_MS);
    return () => window.clearInterval(timer);
  }, [symbol]);
  return spreads;
}

function Sparks({ values }: { values: readonly number[] }) {
  const most = Math.max(...values, 1e-9);
  const points = values.map((value, at) => `${at},${(40 - (value / most) * 36).toFixed(2)}`);
  return (
    <figure className="sparks">
      <svg
        viewBox={`0 0 ${KEPT - 1} 41`}
        preserveAspectRatio="none"
        role="img"
        aria-label="Spread of the last two minutes"
      >
        <polyline points={points.join(" ")} vectorEffect="non-scaling-stroke" />
      </svg>
      <figcaption className="quiet">spread, last two minutes</figcaption>
    </figure>
  );
}
