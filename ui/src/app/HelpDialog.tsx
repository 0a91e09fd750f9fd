// SPDX-License-Identifier: Apache-2.0
// The keys.
import Dialog from "@mui/material/Dialog";
import { PAGES } from "./route";
import { open } from "./view";

const KEYS: readonly (readonly [string, string])[] = [
  ["Ctrl+K or /", "commands"],
  ["Shift+Esc", "kill switch"],
  ["n", "new order"],
  ["[ and ]", "symbol before, next symbol"],
  ["t", "other colours"],
  ["arrows, Enter", "walk a table, open a row"],
  ...PAGES.map((page) => [`g ${page.key}`, page.name] as const),
];

export function HelpDialog() {
  return (
    <Dialog open onClose={() => open(null)} aria-labelledby="help-title">
      <div style={{ padding: 20, width: 360, maxWidth: "100%" }}>
        <h2 id="help-title" style={{ fontSize: 15, marginBottom: 10 }}>
          Keys
        </h2>
        <dl className="facts" style={{ padding: 0 }}>
          {KEYS.map(([key, does]) => (
            <div key={key} style={{ display: "contents" }}>
              <dt>
                <kbd>{key}</kbd>
              </dt>
              <dd>{does}</dd>
            </div>
          ))}
        </dl>
      </div>
    </Dialog>
  );
}
