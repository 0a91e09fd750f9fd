// SPDX-License-Identifier: Apache-2.0
// A position, closed: a market order of the other side, of all of it, that can only reduce.
import Button from "@mui/material/Button";
import Dialog from "@mui/material/Dialog";
import TextField from "@mui/material/TextField";
import { useState } from "react";
import { wordsOf } from "../api/client";
import { usePlace } from "../api/queries";
import { useMode } from "../app/mode";
import { notify } from "../app/notices";
import { open } from "../app/view";
import { quantity } from "../format/numbers";
import { Gain } from "../parts/Amount";
import { useLive } from "../stream/live";

export function CloseDialog({ symbol }: { symbol: string }) {
  const position = useLive((live) => live.positions?.find((each) => each.symbol === symbol));
  const place = usePlace();
  const mode = useMode();
  const [typed, setTyped] = useState("");
  if (position === undefined) return null;
  const isLong = !position.qty.startsWith("-");
  const qty = position.qty.replace("-", "");
  const close = () =>
    place.mutate(
      {
        symbol,
        side: isLong ? "SELL" : "BUY",
        type: "MARKET",
        qty,
        reduce_only: true,
        time_in_force: "GTC",
      },
      {
        onSuccess: (order) => {
          if (order.status === "REJECTED") notify(`Refused: ${order.reason}`, "bad");
          else notify(`Closing ${symbol}.`, "good");
          open(null);
        },
      },
    );
  return (
    <Dialog open onClose={() => open(null)} aria-labelledby="close-title">
      <div className="stack" style={{ padding: 20, gap: 14, width: 380, maxWidth: "100%" }}>
        <h2 id="close-title" style={{ fontSize: 16 }}>
          Close {symbol}
        </h2>
        <p>
          {isLong ? "Sell" : "Buy"} {quantity(qty)} at the market, reduce only. It would realise
          about <Gain value={position.unrealized_pnl} /> USDT before fees.
        </p>
        {mode === "LIVE" && (
          <TextField
            label="This is real money. Type LIVE"
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
          />
        )}
        {place.isError && (
          <p className="down" role="alert">
            {wordsOf(place.error)}
          </p>
        )}
        <div className="row" style={{ justifyContent: "flex-end" }}>
          <Button color="inherit" onClick={() => open(null)}>
            Back
          </Button>
          <Button
            variant="contained"
            color="error"
            disabled={place.isPending || (mode === "LIVE" && typed !== "LIVE")}
            onClick={close}
          >
            Close position
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
