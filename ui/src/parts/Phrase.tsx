// SPDX-License-Identifier: Apache-2.0
// What a person signs with: a phrase that the page never tells, and a reason. What the engine still
// misses stands below, until it is met.
import TextField from "@mui/material/TextField";
import { useState } from "react";
import { Refusal, wordsOf } from "../api/client";

export interface Signed {
  phrase: string;
  reason: string;
}

interface PhraseProps {
  /** Begins the phrase; the account's name ends it. */
  verb: string;
  label: string;
  why: string;
  signed: Signed;
  onChange: (signed: Signed) => void;
}

/** Nothing typed yet, and the way to change it. */
export function useSigned() {
  return useState<Signed>({ phrase: "", reason: "" });
}

export function Phrase({ verb, label, why, signed, onChange }: PhraseProps) {
  return (
    <>
      <TextField
        label={label}
        helperText={`${verb}, a space, and the account's name`}
        value={signed.phrase}
        autoComplete="off"
        onChange={(event) => onChange({ ...signed, phrase: event.target.value })}
      />
      <TextField
        label={`${why}, ten characters at least`}
        value={signed.reason}
        onChange={(event) => onChange({ ...signed, reason: event.target.value })}
      />
    </>
  );
}

/** Why it was refused. *what*: that it was not done, in two words. */
export function StillMissing({ error, what }: { error: Error | null; what: string }) {
  if (error === null) return null;
  const missing = error instanceof Refusal ? error.errors : [];
  return (
    <div role="alert">
      <b className="down">{missing.length > 0 ? `${what}. Still missing:` : wordsOf(error)}</b>
      <ul>
        {missing.map((each) => (
          <li key={each.detail}>· {each.detail}</li>
        ))}
      </ul>
    </div>
  );
}
