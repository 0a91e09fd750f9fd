// SPDX-License-Identifier: Apache-2.0
// A field for each parameter that a strategy declares: its meaning, unit, range and default.
import { useId } from "react";
import type { DeclaredParameter, DeclaredStrategy } from "../api/documents";
import { Wrong } from "./BacktestForm";
import { useChosen, write } from "./chosen";

interface FieldsProps {
  strategy: DeclaredStrategy;
  wrong: Record<string, string>;
}

export function ParameterFields({ strategy, wrong }: FieldsProps) {
  const isGrid = useChosen((chosen) => chosen.draft.kind === "evaluate");
  return (
    <>
      <p className="all quiet" style={{ borderTop: "1px solid var(--line)", paddingTop: 9 }}>
        Parameters of {strategy.name}. Empty is the default
        {isGrid ? "; several values by commas are tried, each with each." : "."}
      </p>
      {strategy.parameters.map((each) => (
        <ParameterField key={each.name} declared={each} words={wrong[`params.${each.name}`]} />
      ))}
    </>
  );
}

interface FieldProps {
  declared: DeclaredParameter;
  words: string | undefined;
}

function ParameterField({ declared, words }: FieldProps) {
  const params = useChosen((chosen) => chosen.draft.params);
  const isGrid = useChosen((chosen) => chosen.draft.kind === "evaluate");
  const id = useId();
  const value = params[declared.name] ?? "";
  const change = (text: string) => write({ params: { ...params, [declared.name]: text } });
  const choices = declared.type === "bool" ? ["true", "false"] : declared.choices;
  const { low, high, unit } = declared;
  const range = low === null && high === null ? "" : `${low ?? "any"} to ${high ?? "any"}`;
  const help = [declared.meaning, [range, unit].filter(Boolean).join(" ")].filter(Boolean);
  return (
    <label className="label" title={help.join("; ")} htmlFor={id}>
      {declared.name.replaceAll("_", " ")}
      {choices.length > 0 && !isGrid ? (
        <select
          id={id}
          className="field wide"
          value={value}
          onChange={(event) => change(event.target.value)}
        >
          <option value="">{String(declared.default)}</option>
          {choices.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      ) : (
        <input
          id={id}
          className="field wide"
          inputMode={isGrid || declared.type === "text" ? "text" : "decimal"}
          autoComplete="off"
          placeholder={String(declared.default)}
          value={value}
          aria-invalid={words !== undefined}
          onChange={(event) => change(event.target.value)}
        />
      )}
      <small>{declared.meaning}</small>
      <Wrong words={words} />
    </label>
  );
}
