// SPDX-License-Identifier: Apache-2.0
// What became of an order that nobody could decide. The venue is asked first, and believed before
// the person; what stands against the claim is said.
import Button from "@mui/material/Button";
import Dialog from "@mui/material/Dialog";
import TextField from "@mui/material/TextField";
import { type FormEvent, useState } from "react";
import { Refusal, wordsOf } from "../api/client";
import type { Order, ResolveAsked } from "../api/documents";
import { useResolve } from "../api/queries";
import { notify } from "../app/notices";

const CLAIMS: readonly { claim: ResolveAsked["claim"]; says: string }[] = [
  { claim: "never-made", says: "It was never made: the venue did not take it." },
  { claim: "ended", says: "It has ended: it was there, and is not open any more." },
];

export function ResolveDialog({ order, close }: { order: Order; close: () => void }) {
  const [claim, setClaim] = useState<ResolveAsked["claim"]>("never-made");
  const [phrase, setPhrase] = useState("");
  const [reason, setReason] = useState("");
  const resolve = useResolve();
  const missing = resolve.error instanceof Refusal ? resolve.error.errors : [];
  const say = (event: FormEvent) => {
    event.preventDefault();
    resolve.mutate(
      { order_id: order.client_order_id, claim, phrase, reason },
      {
        onSuccess: ({ done }) => {
          notify(done, "good");
          close();
        },
      },
    );
  };
  return (
    <Dialog open onClose={close} aria-labelledby="resolve-title">
      <form
        className="stack"
        style={{ padding: 20, gap: 14, width: 440, maxWidth: "100%" }}
        onSubmit={say}
      >
        <h2 id="resolve-title" style={{ fontSize: 16 }}>
          What became of it
        </h2>
        <p className="mono quiet">{order.client_order_id}</p>
        <fieldset className="stack" style={{ border: 0, padding: 0, gap: 6 }}>
          <legend className="sr">The claim</legend>
          {CLAIMS.map((each) => (
            <label key={each.claim} className="row">
              <input
                type="radio"
                name="claim"
                checked={claim === each.claim}
                onChange={() => setClaim(each.claim)}
              />
              {each.says}
            </label>
          ))}
        </fieldset>
        <TextField
          label="Phrase"
          helperText="resolve, a space, and the account's name"
          value={phrase}
          autoComplete="off"
          onChange={(event) => setPhrase(event.target.value)}
        />
        <TextField
          label="How you know, ten characters at least"
          value={reason}
          onChange={(event) => setReason(event.target.value)}
        />
        {resolve.isError && (
          <div role="alert">
            <b className="down">
              {missing.length > 0 ? "Not taken. Still missing:" : wordsOf(resolve.error)}
            </b>
            <ul>
              {missing.map((each) => (
                <li key={each.detail}>· {each.detail}</li>
              ))}
            </ul>
          </div>
        )}
        <div className="row" style={{ justifyContent: "flex-end" }}>
          <Button color="inherit" onClick={close}>
            Back
          </Button>
          <Button type="submit" variant="contained" disabled={resolve.isPending}>
            Say so
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
