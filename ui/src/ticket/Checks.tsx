// SPDX-License-Identifier: Apache-2.0
// Beside the ticket: what the order would cost, do to the account, and lose at worst, and what each
// rule of the governor says to it. The engine says all of it, by the rules that decide.
import { wordsOf } from "../api/client";
import type { OrderAsked, Preview } from "../api/documents";
import { usePreview } from "../api/queries";
import { digits } from "../app/view";
import { money, percent, price, quantity, times, UNKNOWN } from "../format/numbers";
import { isAllowed, useSession } from "../session/session";
import { useLive } from "../stream/live";
import { useCalm } from "./calm";

interface ChecksProps {
  asked: OrderAsked | null;
  symbol: string | null;
  /** What is missing before there is something to ask about. */
  missing: readonly string[];
}

export function Checks({ asked, symbol, missing }: ChecksProps) {
  const isTrader = isAllowed(
    useSession((session) => session.role),
    "trader",
  );
  const equity = useLive((live) => live.portfolio?.equity);
  const found = usePreview(useCalm(isTrader ? asked : null));
  const preview = asked === null ? undefined : found.data;
  const loss = preview?.adverse_loss;
  return (
    <div className="all stack" style={{ gap: 6 }}>
      <dl className="checks" aria-label="What it would mean">
        <dt className="quiet">Value</dt>
        <dd>{preview ? `${money(preview.value)} USDT` : UNKNOWN}</dd>
        <dt className="quiet">Price, expected</dt>
        <dd>
          {price(preview?.price, digits.of(symbol ?? ""))}
          {preview?.slippage_bps != null && ` (${preview.slippage_bps.toFixed(2)} bps)`}
        </dd>
        <dt className="quiet">Fee, as the book stands</dt>
        <dd>{preview ? `${money(preview.fee)} USDT` : UNKNOWN}</dd>
        <dt className="quiet">Position, leverage after</dt>
        <dd>
          {preview
            ? `${quantity(preview.position_after)}, ${times(preview.leverage_after)}`
            : UNKNOWN}
        </dd>
        <dt className="quiet">{percent(preview?.adverse_fraction ?? 0.1, 0)} against it</dt>
        <dd>
          {loss != null
            ? `${money(-Number(loss))} USDT, ${percent(Number(loss) / Number(equity), 1)} of equity`
            : UNKNOWN}
        </dd>
      </dl>
      {!isTrader && <p className="quiet">Orders take role trader.</p>}
      {isTrader && missing.length > 0 && <p className="quiet">{missing.join(", ")}</p>}
      {found.isError && asked !== null && (
        <p className="down" role="alert">
          {wordsOf(found.error)}
        </p>
      )}
      {preview && <Verdict preview={preview} />}
    </div>
  );
}

function Verdict({ preview }: { preview: Preview }) {
  const isRefused = preview.verdict === "REJECTED";
  return (
    <>
      <p role="status" className={isRefused ? "down" : "up"}>
        {isRefused ? `It would be refused: ${preview.reason}` : "It would pass."}
      </p>
      {!preview.is_deep_enough && <p className="warn">The book that is seen has not all of it.</p>}
      {preview.checks.length > 0 && (
        <details className="rules">
          <summary>
            {preview.checks.length} checks,{" "}
            {preview.checks.filter((each) => each.refuses).length || "none"} against it
          </summary>
          <ul>
            {preview.checks.map((each) => (
              <li key={each.rule} className={each.refuses ? "down" : ""}>
                <span>{each.rule}</span>
                <span className="quiet">
                  {each.observed} · allowed {each.allowed}
                </span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}
