// SPDX-License-Identifier: Apache-2.0
// The form of an evolution: what is bred on, how many, for how long.
import { type FormEvent, useId, useState } from "react";
import { wordsOf } from "../api/client";
import type { DataSet } from "../api/documents";
import { notify } from "../app/notices";
import { isAllowed, useSession } from "../session/session";
import { Wrong } from "./BacktestForm";
import { askedFor, type Breeding, bredOn, useBreeding, wrongOf } from "./breeding";
import { look } from "./chosen";
import { MarketList } from "./MarketList";
import { useEvolve } from "./queries";

export function EvolveForm({ sets }: { sets: readonly DataSet[] }) {
  const draft = useBreeding();
  const role = useSession((session) => session.role);
  const begin = useEvolve();
  const [isTried, setIsTried] = useState(false);
  const wrong = wrongOf(draft, sets);
  const mayBegin = isAllowed(role, "operator");
  const send = (event: FormEvent) => {
    event.preventDefault();
    setIsTried(true);
    if (Object.keys(wrong).length > 0 || begin.isPending) return;
    begin.mutate(askedFor(draft, sets), {
      onSuccess: (job) => {
        look(job.job_id);
        setIsTried(false);
        notify("Evolution begun.", "good");
      },
    });
  };
  return (
    <form className="ticket" onSubmit={send} aria-label="A new evolution" noValidate>
      <MarketList
        sets={bredOn(sets)}
        words={isTried ? wrong.data : undefined}
        chosen={draft.data}
        choose={(data) => useBreeding.setState({ data })}
      />
      <Field label="Population" field="population" words={wrong.population} />
      <Field label="Generations" field="generations" words={wrong.generations} />
      <Field label="Trades at least" field="minTrades" words={wrong.minTrades} />
      <Field label="Seed" field="seed" words={wrong.seed} />
      <Field label="Name, for you" field="title" words={undefined} />
      {begin.isError && (
        <p className="down all" role="alert">
          {wordsOf(begin.error)}
        </p>
      )}
      {isTried && Object.keys(wrong).length > 0 && (
        <p className="down all" role="alert">
          {Object.values(wrong)[0]}
        </p>
      )}
      <button type="submit" className="send all" disabled={!mayBegin || begin.isPending}>
        {!mayBegin ? "Takes role operator" : begin.isPending ? "Asking…" : "Breed"}
      </button>
    </form>
  );
}

interface FieldProps {
  label: string;
  field: Exclude<keyof Breeding, "data">;
  words: string | undefined;
}

function Field({ label, field, words }: FieldProps) {
  const value = useBreeding((draft) => draft[field]);
  const id = useId();
  return (
    <label className="label">
      {label}
      <input
        className="field wide"
        value={value}
        inputMode={field === "title" ? "text" : "numeric"}
        autoComplete="off"
        aria-invalid={words !== undefined}
        aria-describedby={words === undefined ? undefined : id}
        onChange={(event) => useBreeding.setState({ [field]: event.target.value })}
      />
      <Wrong words={words} id={id} />
    </label>
  );
}
