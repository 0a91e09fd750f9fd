// SPDX-License-Identifier: Apache-2.0
// The command palette: type some of a name, Enter does it.
import Dialog from "@mui/material/Dialog";
import { type KeyboardEvent, useMemo, useState } from "react";
import { commands, matching } from "./commands";
import { open } from "./view";

export function Palette() {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const all = useMemo(commands, []);
  const found = matching(all, text);
  const chosen = Math.min(at, found.length - 1);
  const run = (number: number) => {
    open(null); // first: the command may open something itself
    found[number]?.run();
  };
  const press = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key as "ArrowDown"];
    if (step !== undefined && found.length > 0) {
      event.preventDefault();
      setAt((chosen + step + found.length) % found.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      run(chosen);
    }
  };
  return (
    <Dialog
      open
      onClose={() => open(null)}
      aria-labelledby="palette-title"
      sx={{ "& .MuiDialog-container": { alignItems: "flex-start", pt: "8vh" } }}
      slotProps={{ paper: { className: "palette", sx: { m: 1.5 } } }}
    >
      <h2 id="palette-title" className="sr">
        Commands
      </h2>
      <input
        role="combobox"
        aria-expanded="true"
        aria-controls="commands"
        aria-activedescendant={found.length > 0 ? `command-${chosen}` : undefined}
        aria-label="Command"
        placeholder="Type a command"
        autoComplete="off"
        autoFocus
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
        }}
        onKeyDown={press}
      />
      {/* biome-ignore-start lint/a11y: a list that its field steers; the field has the focus */}
      <ul id="commands" role="listbox" aria-label="Commands">
        {found.map((command, number) => (
          <li
            key={command.name}
            id={`command-${number}`}
            role="option"
            aria-selected={number === chosen}
            onMouseMove={() => setAt(number)}
            onClick={() => run(number)}
          >
            {command.name}
            {command.keys && <kbd>{command.keys}</kbd>}
          </li>
        ))}
      </ul>
      {/* biome-ignore-end lint/a11y: see above */}
      {found.length === 0 && <p className="empty">No command is called that.</p>}
    </Dialog>
  );
}
