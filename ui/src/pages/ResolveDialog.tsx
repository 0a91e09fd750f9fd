// SPDX-License-Identifier: Apache-2.0
// What became of an order that nobody could decide. The venue is asked first, and believed before
// the person; what stands against the claim is said.
import Button from "@mui/material/Button";
import Dialog from "@mui/material/Dialog";
import { type FormEvent, useState } from "react";
import type { Order, ResolveAsked } from "../api/documents";
import { useResolve } from "../api/queries";
import { notify } from "../app/notices";
import { Phrase, StillMissing, useSigned } from "../parts/Phrase";

const CLAIMS: readonly { claim: ResolveAsked["claim"]; says: string }[] = [
  { claim: "never-made", says: "It was never made: the venue did not take it." },
  { claim: "ended", says: "It has ended: it was there, and is not open any more." },
];

export function ResolveDialog({ order, close }: { order: Order; close: () => void }) {
  const [claim, setClaim] = useState<ResolveAsked["claim"]>("never-made");
  const [signed, setSigned] = useSigned();
  const resolve = useResolve();
  const say = (event: FormEvent) => {
    event.preventDefault();
    resolve.mutate(
      { order_id: order.client_order_id, claim, ...signed },
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
        <Phrase
          verb="resolve"
          label="Phrase"
          why="How you know"
          signed={signed}
          onChange={setSigned}
        />
        <StillMissing error={resolve.error} what="Not taken" />
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
