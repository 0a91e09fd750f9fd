// SPDX-License-Identifier: Apache-2.0
// What somebody needs to see who looks for three seconds: is it well, what does it earn, what does
// it hold.
import { go } from "../app/route";
import { EquityChart } from "../charts/EquityChart";
import { Gain } from "../parts/Amount";
import { ChartPanel } from "../parts/ChartPanel";
import { Figures } from "../parts/Figures";
import { HealthLamps } from "../parts/Health";
import { Empty, Loading, Panel } from "../parts/Panel";
import { FillsPanel, OpenOrdersPanel, PositionsPanel } from "../parts/Tables";
import { useLive } from "../stream/live";

export function Dashboard() {
  const isLive = useLive((live) => live.connection === "open");
  return (
    <>
      <Panel title="Account" isStale={!isLive} className="bare">
        <Figures />
      </Panel>
      <div className="cols">
        <ChartPanel className="c8" height={432} />
        <div className="c4 stack">
          <Panel title="Equity and drawdown" note="USDT" height={276} isStale={!isLive}>
            <EquityChart />
          </Panel>
          <StrategiesShort />
        </div>
        <PositionsPanel className="c6" height={226} />
        <OpenOrdersPanel className="c6" height={226} />
        <FillsPanel className="c8" height={250} />
        <Panel title="Health" className="c4" height={250}>
          <HealthLamps />
        </Panel>
      </div>
    </>
  );
}

function StrategiesShort() {
  const strategies = useLive((live) => live.strategies);
  const more = (
    <button type="button" className="mini" onClick={() => go("strategies")}>
      All
    </button>
  );
  return (
    <Panel title="PnL by strategy" note="USDT" tools={more} height={148}>
      {strategies === null && <Loading lines={3} />}
      {strategies?.length === 0 && <Empty what="No strategies" />}
      <dl className="facts">
        {strategies?.map((each) => (
          <div key={each.id} style={{ display: "contents" }}>
            <dt>
              <span className={`lamp inline ${each.enabled ? "good" : ""}`} />
              <b style={{ color: "var(--text)", fontWeight: 600 }}>{each.id}</b>
              <span className="quiet">
                {" "}
                {each.enabled ? "on" : "off"} · {each.fills} fills
              </span>
            </dt>
            <dd>
              <Gain value={each.pnl} />
            </dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}
