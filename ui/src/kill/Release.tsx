// SPDX-License-Identifier: Apache-2.0
// Trading is stopped. To go on takes a phrase, a reason and every condition of the engine; it says
// which are missing, and they stand here until they are met. The phrase itself it never tells.
import Button from "@mui/material/Button";
import type { FormEvent } from "react";
import type { KillSwitch } from "../api/documents";
import { useRelease } from "../api/queries";
import { useNow } from "../app/clock";
import { open } from "../app/view";
import { dateClock, millis, span } from "../format/times";
import { Phrase, StillMissing, useSigned } from "../parts/Phrase";
import { isAllowed, useSession } from "../session/session";
import { LEVELS } from "./levels";

export function Release({ latch }: { latch: KillSwitch }) {
  const [signed, setSigned] = useSigned();
  const release = useRelease();
  const role = useSession((session) => session.role);
  const heldS = (useNow() - (millis(latch.since) ?? 0)) / 1000;
  const name = LEVELS.find((each) => each.level === latch.level)?.name ?? latch.level;
  const goOn = (event: FormEvent) => {
    event.preventDefault();
    release.mutate(signed);
  };
  return (
    <form onSubmit={goOn} className="stack" style={{ padding: 20, gap: 14 }}>
      <h2 id="kill-title" style={{ fontSize: 16 }} className="down" aria-live="assertive">
        Trading is stopped
      </h2>
      <dl className="facts" style={{ padding: 0 }}>
        <dt>Level</dt>
        <dd>{name}</dd>
        <dt>Reason</dt>
        <dd>{latch.reason}</dd>
        <dt>By</dt>
        <dd className="mono">{latch.actor}</dd>
        <dt>Since</dt>
        <dd>
          {dateClock(latch.since)} UTC, {span(heldS)}
        </dd>
      </dl>
      <Phrase
        verb="release"
        label="Phrase that releases this account"
        why="What was found"
        signed={signed}
        onChange={setSigned}
      />
      <StillMissing error={release.error} what="Not released" />
      {!isAllowed(role, "risk") && <p className="warn">Only role risk may release.</p>}
      <div className="row" style={{ justifyContent: "flex-end" }}>
        <Button color="inherit" onClick={() => open(null)}>
          Back
        </Button>
        <Button
          type="submit"
          variant="contained"
          disabled={release.isPending || !isAllowed(role, "risk")}
        >
          Release
        </Button>
      </div>
    </form>
  );
}
