// SPDX-License-Identifier: Apache-2.0
// To stop: how far, why, and the word STOP, typed, so that no cat and no elbow does it.
import Button from "@mui/material/Button";
import TextField from "@mui/material/TextField";
import { type FormEvent, useState } from "react";
import { wordsOf } from "../api/client";
import { useTrigger } from "../api/queries";
import { open } from "../app/view";
import { isOpen } from "../charts/series";
import { isAllowed, useSession } from "../session/session";
import { useLive } from "../stream/live";
import { consequence, LEVELS, type Level } from "./levels";

const WORD = "STOP";
const REASON = "stopped by hand";

export function Trigger() {
  const [level, setLevel] = useState<Level>("CANCEL_ALL");
  const [reason, setReason] = useState("");
  const [typed, setTyped] = useState("");
  const trigger = useTrigger();
  const orders = useLive((live) => live.orders);
  const positions = useLive((live) => live.positions);
  const mayStop = isAllowed(
    useSession((session) => session.role),
    "operator",
  );
  const stop = (event: FormEvent) => {
    event.preventDefault();
    if (typed === WORD) trigger.mutate({ level, reason: reason.trim() || REASON });
  };
  return (
    <form onSubmit={stop} className="stack" style={{ padding: 20, gap: 14 }}>
      <h2 id="kill-title" style={{ fontSize: 16 }}>
        Stop trading
      </h2>
      <fieldset style={{ border: 0, margin: 0, padding: 0, display: "grid", gap: 4 }}>
        <legend className="quiet" style={{ marginBottom: 4 }}>
          How far
        </legend>
        {LEVELS.map((each) => (
          <label key={each.level} className="row" style={{ alignItems: "baseline" }}>
            <input
              type="radio"
              name="level"
              checked={level === each.level}
              onChange={() => setLevel(each.level)}
            />
            <b style={{ width: 82, flex: "none" }}>{each.name}</b>
            <span className="quiet">{each.does}</span>
          </label>
        ))}
      </fieldset>
      <p className="notice bad" role="status">
        <span>{consequence(level, (orders ?? []).filter(isOpen), positions ?? [])}</span>
      </p>
      <TextField
        label="Reason (goes into the journal)"
        placeholder={REASON}
        value={reason}
        onChange={(event) => setReason(event.target.value)}
        slotProps={{ htmlInput: { maxLength: 500 } }}
      />
      <TextField
        label={`Type ${WORD} to confirm`}
        value={typed}
        autoFocus
        autoComplete="off"
        onChange={(event) => setTyped(event.target.value.toUpperCase())}
      />
      {trigger.isError && (
        <p className="down" role="alert">
          {wordsOf(trigger.error)}
        </p>
      )}
      {!mayStop && <p className="warn">This token may not stop trading; role operator may.</p>}
      <div className="row" style={{ justifyContent: "flex-end" }}>
        <Button color="inherit" onClick={() => open(null)}>
          Back
        </Button>
        <Button
          type="submit"
          color="error"
          variant="contained"
          disabled={typed !== WORD || trigger.isPending || !mayStop}
        >
          {trigger.isPending ? "Stopping…" : "Stop trading"}
        </Button>
      </div>
    </form>
  );
}
