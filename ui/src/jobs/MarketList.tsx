// SPDX-License-Identifier: Apache-2.0
// The recorded markets, to choose from.
import type { DataSet } from "../api/documents";
import { dateClock } from "../format/times";
import { Wrong } from "./BacktestForm";

export function MarketList({
  sets,
  words,
  chosen,
  choose,
}: {
  sets: readonly DataSet[];
  words: string | undefined;
  chosen: readonly string[];
  choose: (data: string[]) => void;
}) {
  const toggle = (id: string) =>
    choose(chosen.includes(id) ? chosen.filter((each) => each !== id) : [...chosen, id]);
  return (
    <fieldset className="choices all">
      <legend>Market data</legend>
      {sets.length === 0 && (
        <p className="quiet">
          Nothing recorded yet. <span className="mono">hean data download</span> or{" "}
          <span className="mono">hean data import</span> fills the catalog.
        </p>
      )}
      {sets.map((set) => (
        <label key={set.id}>
          <input
            type="checkbox"
            checked={chosen.includes(set.id)}
            onChange={() => toggle(set.id)}
          />
          <span>
            <b>{set.symbol}</b> {set.kind} {set.timeframe}
            <small>
              {set.venue} {set.market} · {dateClock(set.first).slice(0, 10)} to{" "}
              {dateClock(set.last).slice(0, 10)}
              {set.gaps > 0 && ` · ${set.gaps} gaps`}
            </small>
          </span>
          {set.is_made && <span className="badge warn">made up</span>}
        </label>
      ))}
      <Wrong words={words} />
    </fieldset>
  );
}
