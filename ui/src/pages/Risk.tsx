// SPDX-License-Identifier: Apache-2.0
// What stands between a strategy and a loss: the latch, the limits against their use, what is
// stale, and orders nobody knows the end of.
import { useState } from "react";
import type { Limit } from "../api/documents";
import { open } from "../app/view";
import { money, numberOf, percent, times } from "../format/numbers";
import { HealthLamps } from "../parts/Health";
import { Empty, Loading, Panel } from "../parts/Panel";
import { isAllowed, useSession } from "../session/session";
import { useLive } from "../stream/live";
import { LimitDialog } from "./LimitDialog";

export function Risk() {
  const risk = useLive((live) => live.risk);
  const [changed, setChanged] = useState<Limit | null>(null);
  const isLive = useLive((live) => live.connection === "open");
  if (risk === null) return <Loading lines={10} />;
  const isHalted = risk.level !== "RUN";
  const stale = Object.entries(risk.stale);
  return (
    <>
      <Panel title="State" isStale={!isLive}>
        <dl className="strip even">
          <div>
            <dt>Kill switch</dt>
            <dd className={isHalted ? "down" : "up"}>
              {isHalted ? risk.level.replace("_", " ").toLowerCase() : "clear"}
              <small>
                <button type="button" className="mini" onClick={() => open({ kind: "kill" })}>
                  {isHalted ? "Release…" : "Stop trading…"}
                </button>
              </small>
            </dd>
          </div>
          <div>
            <dt>Drawdown, worst</dt>
            <dd>{percent(risk.drawdown_fraction)}</dd>
          </div>
          <div>
            <dt>Gross exposure, USDT</dt>
            <dd>{money(risk.gross_exposure)}</dd>
          </div>
          <div>
            <dt>Leverage</dt>
            <dd>{times(risk.leverage)}</dd>
          </div>
          <div>
            <dt>Refusals</dt>
            <dd>
              {risk.refusals}
              <small>since the session began</small>
            </dd>
          </div>
        </dl>
      </Panel>
      <div className="cols">
        <Panel title="Hard limits" className="c6" isStale={!isLive}>
          <ul style={{ padding: "4px 12px 10px" }}>
            {risk.limits.map((limit) => (
              <LimitRow key={limit.name} limit={limit} change={() => setChanged(limit)} />
            ))}
          </ul>
        </Panel>
        <div className="c6 stack">
          <Panel title="Unknown orders" note={risk.unknown_orders.length}>
            {risk.unknown_orders.length === 0 ? (
              <Empty what="None">The end of every order is known.</Empty>
            ) : (
              <ul style={{ padding: 12 }}>
                {risk.unknown_orders.map((id) => (
                  <li key={id}>
                    <button
                      type="button"
                      className="mini mono"
                      onClick={() => open({ kind: "why", orderId: id })}
                    >
                      {id}
                    </button>
                  </li>
                ))}
              </ul>
            )}
          </Panel>
          <Panel title="Stale markets" note={stale.length}>
            {stale.length === 0 ? (
              <Empty what="None">Every price is fresh enough to trade on.</Empty>
            ) : (
              <dl className="facts">
                {stale.map(([symbol, why]) => (
                  <div key={symbol} style={{ display: "contents" }}>
                    <dt>{symbol}</dt>
                    <dd className="warn">{why}</dd>
                  </div>
                ))}
              </dl>
            )}
          </Panel>
          <Panel title="Health">
            <HealthLamps />
          </Panel>
        </div>
      </div>
      {changed && <LimitDialog limit={changed} close={() => setChanged(null)} />}
    </>
  );
}

/** How much of a limit is used, 0 to 1; `null` where that is not one number. */
export function shareOf(limit: Limit): number | null {
  const [value, used] = [numberOf(limit.value), numberOf(limit.used)];
  if (value === null || used === null || value <= 0) return null;
  return Math.min(1, Math.max(0, used / value));
}

function LimitRow({ limit, change }: { limit: Limit; change: () => void }) {
  const share = shareOf(limit);
  const tone = share === null || share < 0.6 ? "" : share < 0.9 ? "odd" : "bad";
  const name = limit.name.replaceAll("_", " ");
  const mayChange = isAllowed(
    useSession((session) => session.role),
    "trader",
  );
  return (
    <li style={{ padding: "8px 0", borderBottom: "1px solid var(--grid)" }}>
      <div className="row">
        <span className="grow">{name}</span>
        <span>
          {limit.used !== null && limit.used !== undefined && (
            <>
              {limit.used} <span className="quiet">of</span>{" "}
            </>
          )}
          {limit.value ?? "off"}
        </span>
        <button
          type="button"
          className="mini"
          aria-label={`Change ${name}`}
          disabled={!mayChange}
          onClick={change}
        >
          Change
        </button>
      </div>
      {share !== null && (
        <div className="meter" style={{ marginTop: 6 }}>
          <i className={tone} style={{ width: `${share * 100}%` }} />
        </div>
      )}
    </li>
  );
}
