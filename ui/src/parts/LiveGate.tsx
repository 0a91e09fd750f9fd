// SPDX-License-Identifier: Apache-2.0
// The gate before money: what is missing until orders may leave, and the phrase of this boot, which
// a person types. What the phrase should be is told by nobody.
import { type FormEvent, useState } from "react";
import { wordsOf } from "../api/client";
import { useConfirm, useGate } from "../api/queries";
import { useMode } from "../app/mode";
import { isAllowed, useSession } from "../session/session";
import { useLive } from "../stream/live";
import { Loading, Panel } from "./Panel";

/** Whether the engine is another process, with a gate of its own. */
export function useIsFollowed(): boolean {
  return useLive((live) => live.status?.is_followed ?? false);
}

export function LiveGate() {
  const gate = useGate(useIsFollowed());
  const mode = useMode();
  const isThere = mode === "LIVE" || mode === "TESTNET";
  const note = gate.data?.is_open ? "open" : "closed";
  return (
    <Panel title="Live gate" note={gate.data && note} isStale={gate.isError}>
      {gate.data === undefined ? (
        <Loading lines={3} />
      ) : (
        <div className="stack" style={{ padding: 12, gap: 10 }}>
          {gate.data.is_open ? (
            <p className={mode === "LIVE" ? "down" : "warn"}>
              Orders may leave{mode === "LIVE" ? ", with money." : ", on a test network."}
            </p>
          ) : (
            <div>
              <b>Nothing new leaves. Missing:</b>
              <ul>
                {gate.data.missing.map((each) => (
                  <li key={each}>· {each}</li>
                ))}
              </ul>
            </div>
          )}
          {!gate.data.is_open && isThere && <Confirm />}
        </div>
      )}
    </Panel>
  );
}

function Confirm() {
  const [phrase, setPhrase] = useState("");
  const confirm = useConfirm();
  const role = useSession((session) => session.role);
  const send = (event: FormEvent) => {
    event.preventDefault();
    confirm.mutate(phrase, { onSettled: () => setPhrase("") });
  };
  return (
    <form className="stack" style={{ gap: 6, maxWidth: 420 }} onSubmit={send}>
      <label className="label">
        Phrase of this boot
        <input
          className="field wide"
          autoComplete="off"
          value={phrase}
          onChange={(event) => setPhrase(event.target.value)}
        />
      </label>
      <div className="row">
        <button
          type="submit"
          className="mini"
          disabled={phrase === "" || confirm.isPending || !isAllowed(role, "risk")}
        >
          Let it trade
        </button>
        {!isAllowed(role, "risk") && <span className="warn">Only role risk may confirm.</span>}
      </div>
      {confirm.isError && (
        <p className="down" role="alert">
          {wordsOf(confirm.error)}
        </p>
      )}
    </form>
  );
}
