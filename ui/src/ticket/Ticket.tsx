// SPDX-License-Identifier: Apache-2.0
// An order by hand, with what it would mean beside it. In LIVE it also takes the word LIVE, typed:
// the same keys mean money there.
import { type FormEvent, useId, useState } from "react";
import { wordsOf } from "../api/client";
import { usePlace } from "../api/queries";
import { useMode } from "../app/mode";
import { notify } from "../app/notices";
import { choose, useSymbol } from "../app/view";
import { isAllowed, useSession } from "../session/session";
import { useLive } from "../stream/live";
import { Checks } from "./Checks";
import { askedOf, type Draft, type Force, problems } from "./draft";

const FORCES: readonly Force[] = ["GTC", "IOC", "FOK", "POST_ONLY"];

export function Ticket() {
  const symbol = useSymbol();
  const symbols = useLive((live) => live.status?.symbols) ?? [];
  const [draft, setDraft] = useState<Draft>({
    side: "BUY",
    type: "LIMIT",
    qty: "",
    price: "",
    reduceOnly: false,
    force: "GTC",
  });
  const [typed, setTyped] = useState("");
  const place = usePlace();
  const mode = useMode();
  const role = useSession((session) => session.role);
  const id = useId();
  const change = (part: Partial<Draft>) => setDraft((before) => ({ ...before, ...part }));
  const isLocked = mode === "LIVE" && typed !== "LIVE";
  const missing = problems(draft);
  const asked = askedOf(draft, symbol);
  const isReady = asked !== null && !isLocked && isAllowed(role, "trader");
  const send = (event: FormEvent) => {
    event.preventDefault();
    if (!isReady || place.isPending) return;
    const { side, qty } = draft;
    place.mutate(asked, {
      onSuccess: (order) => {
        setTyped("");
        if (order.status === "REJECTED") notify(`Refused: ${order.reason}`, "bad");
        else notify(`${side === "BUY" ? "Buy" : "Sell"} ${qty} ${symbol} sent.`, "good");
      },
    });
  };
  return (
    <form className="ticket" onSubmit={send} aria-label="Order by hand">
      <div className="pair all">
        {(["BUY", "SELL"] as const).map((side) => (
          <button
            key={side}
            type="button"
            className={side.toLowerCase()}
            aria-pressed={draft.side === side}
            onClick={() => change({ side })}
          >
            {side === "BUY" ? "Buy" : "Sell"}
          </button>
        ))}
      </div>
      <label className="label">
        Symbol
        <select
          className="field wide"
          value={symbol ?? ""}
          onChange={(event) => choose(event.target.value)}
        >
          {symbols.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      </label>
      <label className="label">
        Type
        <select
          className="field wide"
          value={draft.type}
          onChange={(event) => change({ type: event.target.value as Draft["type"] })}
        >
          <option value="LIMIT">Limit</option>
          <option value="MARKET">Market</option>
        </select>
      </label>
      <label className="label">
        Quantity
        <input
          className="field wide"
          inputMode="decimal"
          autoComplete="off"
          placeholder="0.010"
          value={draft.qty}
          onChange={(event) => change({ qty: event.target.value.trim() })}
        />
      </label>
      <label className="label">
        Price
        <input
          className="field wide"
          inputMode="decimal"
          autoComplete="off"
          placeholder={draft.type === "MARKET" ? "at the market" : "limit"}
          disabled={draft.type === "MARKET"}
          value={draft.type === "MARKET" ? "" : draft.price}
          onChange={(event) => change({ price: event.target.value.trim() })}
        />
      </label>
      <label className="label">
        In force
        <select
          className="field wide"
          value={draft.type === "MARKET" ? "GTC" : draft.force}
          disabled={draft.type === "MARKET"}
          onChange={(event) => change({ force: event.target.value as Force })}
        >
          {FORCES.map((each) => (
            <option key={each} value={each}>
              {each === "POST_ONLY" ? "Post only" : each}
            </option>
          ))}
        </select>
      </label>
      <label className="row" htmlFor={id} style={{ alignSelf: "end", height: 30 }}>
        <input
          id={id}
          type="checkbox"
          checked={draft.reduceOnly}
          onChange={(event) => change({ reduceOnly: event.target.checked })}
        />
        Reduce only
      </label>
      <Checks asked={asked} symbol={symbol} missing={missing} />
      {mode === "LIVE" && (
        <label className="label all">
          This is real money. Type LIVE
          <input
            className="field wide"
            autoComplete="off"
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
          />
        </label>
      )}
      {place.isError && (
        <p className="down all" role="alert">
          {wordsOf(place.error)}
        </p>
      )}
      <button
        type="submit"
        className={`send all ${draft.side.toLowerCase()}`}
        disabled={!isReady}
        aria-busy={place.isPending}
      >
        {draft.side === "BUY" ? "Buy" : "Sell"} {draft.qty} {symbol}
      </button>
    </form>
  );
}
