// SPDX-License-Identifier: Apache-2.0
// Beside the ticket: what the order would cost, do to the account, and lose at worst.
import { useLadder } from "../api/queries";
import { digits } from "../app/view";
import { money, percent, price, times, UNKNOWN } from "../format/numbers";
import { useLive } from "../stream/live";
import { type Draft, previewOf, problems } from "./preview";

export function Checks({ draft, symbol }: { draft: Draft; symbol: string | null }) {
  const ladder = useLadder(symbol, 1_000);
  const quote = useLive((live) => live.quotes?.find((each) => each.symbol === symbol));
  const held = useLive((live) => live.positions?.find((each) => each.symbol === symbol)?.qty);
  const portfolio = useLive((live) => live.portfolio);
  const fills = useLive((live) => live.fills) ?? [];
  const limits = useLive((live) => live.risk?.limits) ?? [];
  const level = useLive((live) => live.risk?.level ?? "RUN");
  const preview = previewOf(draft, {
    quote,
    ladder: ladder.data,
    portfolio,
    fills,
    held: Number(held ?? 0),
  });
  const allowed = limits.find((each) => each.name === "leverage_max")?.value;
  const isOver = preview?.leverageAfter != null && Number(allowed) < preview.leverageAfter;
  const wrong = problems(draft);
  return (
    <dl className="checks all" aria-label="What it would mean">
      <dt className="quiet">Value</dt>
      <dd>{preview ? `${money(preview.value)} USDT` : UNKNOWN}</dd>
      <dt className="quiet">Price, expected</dt>
      <dd>
        {preview ? price(preview.price, digits.of(symbol ?? "")) : UNKNOWN}
        {preview?.slippageBps != null && ` (${preview.slippageBps.toFixed(1)} bps)`}
      </dd>
      <dt className="quiet">Fee, at most</dt>
      <dd>{preview?.fee != null ? `${money(preview.fee)} USDT` : "known after a fill"}</dd>
      <dt className="quiet">Leverage after</dt>
      <dd className={isOver ? "down" : ""}>
        {times(preview?.leverageAfter)}
        {allowed && ` of ${times(allowed)}`}
      </dd>
      <dt className="quiet">10 % against it</dt>
      <dd>
        {preview
          ? `${money(-preview.worst)} USDT, ${percent(preview.worstFraction, 1)} of equity`
          : UNKNOWN}
      </dd>
      <dt className="quiet">Checks</dt>
      <dd>
        {level !== "RUN" && <span className="down">trading is stopped</span>}
        {level === "RUN" && wrong.length > 0 && <span className="quiet">{wrong.join(", ")}</span>}
        {preview && !preview.isDeepEnough && <span className="warn">the book is too thin</span>}
        {isOver && <span className="down"> leverage above its limit</span>}
        {level === "RUN" && preview?.isDeepEnough && !isOver && <span className="up">pass</span>}
      </dd>
    </dl>
  );
}
