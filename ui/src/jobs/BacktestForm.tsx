// SPDX-License-Identifier: Apache-2.0
// The form of a backtest or an evaluation, drawn from what the strategy declares.
import { type FormEvent, useId, useState } from "react";
import { wordsOf } from "../api/client";
import type { DataSet, DeclaredStrategy } from "../api/documents";
import { notify } from "../app/notices";
import { isAllowed, useSession } from "../session/session";
import { look, useChosen, write } from "./chosen";
import { askedOf, problems } from "./form";
import { MarketList } from "./MarketList";
import { ParameterFields } from "./ParameterFields";
import { useBegin } from "./queries";

interface FormProps {
  strategies: readonly DeclaredStrategy[];
  sets: readonly DataSet[];
}

export function BacktestForm({ strategies, sets }: FormProps) {
  const draft = useChosen((chosen) => chosen.draft);
  const role = useSession((session) => session.role);
  const begin = useBegin();
  const [isTried, setIsTried] = useState(false);
  const strategy = strategies.find((each) => each.name === draft.strategy);
  const wrong = problems(draft, strategy, sets);
  const mayBegin = isAllowed(role, "operator");
  const send = (event: FormEvent) => {
    event.preventDefault();
    setIsTried(true);
    if (strategy === undefined || Object.keys(wrong).length > 0 || begin.isPending) return;
    begin.mutate(
      { kind: draft.kind, asked: askedOf(draft, strategy, sets) },
      {
        onSuccess: (job) => {
          look(job.job_id);
          setIsTried(false);
          notify(draft.kind === "evaluate" ? "Evaluation begun." : "Backtest begun.", "good");
        },
      },
    );
  };
  const shown = (field: string) => (isTried ? wrong[field] : undefined);
  return (
    <form className="ticket" onSubmit={send} aria-label="A new run" noValidate>
      <div className="pair all">
        {(["backtest", "evaluate"] as const).map((kind) => (
          <button
            key={kind}
            type="button"
            className="plain"
            aria-pressed={draft.kind === kind}
            onClick={() => write({ kind })}
          >
            {kind === "backtest" ? "Backtest" : "Evaluation"}
          </button>
        ))}
      </div>
      <label className="label all">
        Strategy
        <select
          className="field wide"
          value={draft.strategy}
          onChange={(event) => write({ strategy: event.target.value, params: {} })}
        >
          <option value="">Choose…</option>
          {strategies.map((each) => (
            <option key={each.name}>{each.name}</option>
          ))}
        </select>
        <span>{strategy?.summary}</span>
        <Wrong words={shown("strategy")} />
      </label>
      <MarketList
        sets={sets}
        words={shown("data")}
        chosen={draft.data}
        choose={(data) => write({ data })}
      />
      <Field label="From, UTC" field="start" words={wrong.start} placeholder="the first day" />
      <Field label="Until, UTC" field="end" words={wrong.end} placeholder="the last day" />
      <Field label="Cash, USDT" field="cash" words={wrong.cash} />
      <Field label="Latency, ms" field="latencyMs" words={wrong.latencyMs} />
      <Field label="Seed" field="seed" words={wrong.seed} />
      <Field label="Name, for you" field="title" words={undefined} />
      {strategy && <ParameterFields strategy={strategy} wrong={wrong} />}
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
        {!mayBegin
          ? "Takes role operator"
          : begin.isPending
            ? "Asking…"
            : draft.kind === "evaluate"
              ? "Evaluate"
              : "Run backtest"}
      </button>
    </form>
  );
}

interface FieldProps {
  label: string;
  field: "start" | "end" | "cash" | "latencyMs" | "seed" | "title";
  words: string | undefined;
  placeholder?: string;
}

function Field({ label, field, words, placeholder }: FieldProps) {
  const value = useChosen((chosen) => chosen.draft[field]);
  const id = useId();
  return (
    <label className="label">
      {label}
      <input
        className="field wide"
        value={value}
        autoComplete="off"
        placeholder={placeholder}
        aria-invalid={words !== undefined}
        aria-describedby={words === undefined ? undefined : id}
        onChange={(event) => write({ [field]: event.target.value })}
      />
      <Wrong words={words} id={id} />
    </label>
  );
}

/** What is wrong with a field, below it. */
export function Wrong({ words, id }: { words: string | undefined; id?: string }) {
  if (words === undefined) return null;
  return (
    <span className="down" id={id}>
      {words}
    </span>
  );
}
