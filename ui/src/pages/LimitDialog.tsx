// SPDX-License-Identifier: Apache-2.0
// A hard limit, changed. Lowering counts at once; raising takes role risk and a reason, which the
// engine asks for.
import Button from "@mui/material/Button";
import Dialog from "@mui/material/Dialog";
import TextField from "@mui/material/TextField";
import { type FormEvent, useState } from "react";
import { wordsOf } from "../api/client";
import type { Limit } from "../api/documents";
import { useLimits } from "../api/queries";
import { notify } from "../app/notices";

export function LimitDialog({ limit, close }: { limit: Limit; close: () => void }) {
  const [value, setValue] = useState(limit.value ?? "");
  const [reason, setReason] = useState("");
  const limits = useLimits();
  const name = limit.name.replaceAll("_", " ");
  const change = (event: FormEvent) => {
    event.preventDefault();
    const wanted = value.trim() === "" ? null : value.trim();
    limits.mutate(
      { limits: { [limit.name]: wanted }, reason },
      {
        onSuccess: () => {
          notify(`${name}: ${wanted ?? "off"}.`, "good");
          close();
        },
      },
    );
  };
  return (
    <Dialog open onClose={close} aria-labelledby="limit-title">
      <form
        className="stack"
        style={{ padding: 20, gap: 14, width: 380, maxWidth: "100%" }}
        onSubmit={change}
      >
        <h2 id="limit-title" style={{ fontSize: 16 }}>
          Limit: {name}
        </h2>
        <TextField
          label="Value; empty switches it off"
          value={value}
          autoFocus
          onChange={(event) => setValue(event.target.value)}
        />
        <TextField
          label="Reason, needed to raise it"
          value={reason}
          onChange={(event) => setReason(event.target.value)}
        />
        {limits.isError && (
          <p className="down" role="alert">
            {wordsOf(limits.error)}
          </p>
        )}
        <div className="row" style={{ justifyContent: "flex-end" }}>
          <Button color="inherit" onClick={close}>
            Back
          </Button>
          <Button type="submit" variant="contained" disabled={limits.isPending}>
            Put in force
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
