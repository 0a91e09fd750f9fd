// SPDX-License-Identifier: Apache-2.0
// The book as a ladder: asks above, bids below, the depth of each level drawn behind it.
import type { Ladder } from "../api/documents";
import { useLadder } from "../api/queries";
import { digits } from "../app/view";
import { price, quantity } from "../format/numbers";
import { Failed, Loading, Panel } from "../parts/Panel";

const LEVELS = 10;

interface Level {
  price: number;
  size: number;
  total: number;
}

/** Levels with the sum of all before them, the best first. */
export function levelsOf(side: Ladder["bids"]): Level[] {
  let total = 0;
  return side.slice(0, LEVELS).map((level) => {
    const [at, size] = [Number(level[0]), Number(level[1])];
    total += size;
    return { price: at, size, total };
  });
}

interface LadderPanelProps {
  symbol: string | null;
  className: string;
  height: number;
}

export function LadderPanel({ symbol, className, height }: LadderPanelProps) {
  const ladder = useLadder(symbol);
  return (
    <Panel title="Book" note={symbol ?? ""} className={className} height={height}>
      {ladder.isPending && <Loading lines={10} />}
      {ladder.isError && <Failed error={ladder.error} again={() => ladder.refetch()} />}
      {ladder.data && symbol && <Rungs ladder={ladder.data} places={digits.of(symbol)} />}
    </Panel>
  );
}

function Rungs({ ladder, places }: { ladder: Ladder; places: number }) {
  const [bids, asks] = [levelsOf(ladder.bids), levelsOf(ladder.asks)];
  const most = Math.max(bids.at(-1)?.total ?? 0, asks.at(-1)?.total ?? 0, 1e-12);
  const [bid, ask] = [bids[0]?.price, asks[0]?.price];
  const row = (level: Level, side: string) => (
    <tr key={`${side}${level.price}`} className={side}>
      <td className={side === "bid" ? "up" : "down"}>{price(level.price, places)}</td>
      <td className="num">{quantity(level.size)}</td>
      <td className="num">
        <i className="depth" style={{ width: `${(level.total / most) * 100}%` }} />
        <span>{quantity(Number(level.total.toFixed(6)))}</span>
      </td>
    </tr>
  );
  return (
    <div className="grid ladder">
      <table aria-label="Book">
        <thead>
          <tr>
            <th scope="col">Price, USDT</th>
            <th scope="col" className="num">
              Size
            </th>
            <th scope="col" className="num">
              Sum
            </th>
          </tr>
        </thead>
        <tbody>
          {[...asks].reverse().map((level) => row(level, "ask"))}
          <tr className="mid">
            <td>{bid && ask ? price((bid + ask) / 2, places + 1) : "–"}</td>
            <td className="num quiet" colSpan={2}>
              spread {bid && ask ? price(ask - bid, places) : "–"}
            </td>
          </tr>
          {bids.map((level) => row(level, "bid"))}
        </tbody>
      </table>
    </div>
  );
}
