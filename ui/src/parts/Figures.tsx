// SPDX-License-Identifier: Apache-2.0
// The account in a row of figures.
import { money, percent, times } from "../format/numbers";
import { useLive } from "../stream/live";
import { Gain } from "./Amount";
import { Loading } from "./Panel";

export function Figures() {
  const account = useLive((live) => live.portfolio);
  if (account === null) return <Loading lines={2} />;
  return (
    <dl className="strip">
      <div>
        <dt>Equity, USDT</dt>
        <dd>
          {money(account.equity)}
          <small>of {money(account.deposits)} paid in</small>
        </dd>
      </div>
      <div>
        <dt>PnL today, USDT</dt>
        <dd>
          <Gain value={account.pnl_today} />
          <small>since midnight UTC</small>
        </dd>
      </div>
      <div>
        <dt>PnL total, USDT</dt>
        <dd>
          <Gain value={account.pnl_total} />
          <small>{percent(Number(account.pnl_total) / Number(account.deposits))}</small>
        </dd>
      </div>
      <div>
        <dt>Unrealised, USDT</dt>
        <dd>
          <Gain value={account.unrealized_pnl} />
          <small>
            realised <Gain value={account.realized_pnl} />
          </small>
        </dd>
      </div>
      <div>
        <dt>Drawdown, worst</dt>
        <dd>
          {percent(account.max_drawdown_fraction)}
          <small>peak {money(account.peak_equity)}</small>
        </dd>
      </div>
      <div>
        <dt>Exposure, USDT</dt>
        <dd>
          {money(account.exposure)}
          <small>leverage {times(account.leverage)}</small>
        </dd>
      </div>
      <div>
        <dt>Fees, USDT</dt>
        <dd>
          {money(account.fees)}
          <small>funding {money(account.funding)}</small>
        </dd>
      </div>
      <div>
        <dt>Open orders</dt>
        <dd>
          {account.open_orders}
          <small>
            {account.positions} {account.positions === 1 ? "position" : "positions"} held
          </small>
        </dd>
      </div>
    </dl>
  );
}
