// SPDX-License-Identifier: Apache-2.0
// The door: a token, or nothing at all for who came by the link of the first start.
import Button from "@mui/material/Button";
import TextField from "@mui/material/TextField";
import { type FormEvent, useEffect, useState } from "react";
import { wordsOf } from "../api/client";
import { Icon } from "../app/icons";
import { logIn, pair } from "./logIn";
import { takePairingCode } from "./session";

// Read when the page is loaded, before anything can look at the address.
const code = takePairingCode(window.location, window.history);
let isCodeUsed = false;

export function LogIn() {
  const [token, setToken] = useState("");
  const [isBusy, setIsBusy] = useState(false);
  const [error, setError] = useState("");
  const attempt = (enter: Promise<void>) => {
    setIsBusy(true);
    setError("");
    enter.catch((reason) => setError(wordsOf(reason))).finally(() => setIsBusy(false));
  };
  useEffect(() => {
    if (code === null || isCodeUsed) return;
    isCodeUsed = true;
    attempt(pair(code));
  }, []);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    attempt(logIn(token.trim()));
  };
  return (
    <main className="gate">
      <form className="panel" onSubmit={submit}>
        <div className="mark">
          <Icon name="mark" size={22} />
          HEAN
        </div>
        <div>
          <h1>Log in to this engine</h1>
          <p className="quiet">Paste a token. It stays in this tab and is gone with it.</p>
        </div>
        <TextField
          label="Token"
          type="password"
          autoFocus
          autoComplete="off"
          value={token}
          onChange={(event) => setToken(event.target.value)}
          error={error !== ""}
          helperText={error || "hean token create, or the file that the first start names"}
          slotProps={{ htmlInput: { maxLength: 200, spellCheck: false } }}
        />
        <Button type="submit" variant="contained" size="medium" disabled={isBusy || !token.trim()}>
          {isBusy ? "One moment" : "Log in"}
        </Button>
      </form>
    </main>
  );
}
