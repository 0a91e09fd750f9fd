// SPDX-License-Identifier: Apache-2.0
// The keys of the page. None of them does anything that cannot be taken back: what could asks first.
import { useEffect } from "react";
import { go, PAGES, type Path } from "./route";
import { toggleScheme } from "./theme";
import { open, step, useView } from "./view";

export interface Press {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  shiftKey: boolean;
  altKey: boolean;
}

export type Deed =
  | { does: "palette" | "kill" | "help" | "ticket" | "scheme" | "wait" }
  | { does: "go"; path: Path }
  | { does: "step"; by: 1 | -1 };

/** What a press means. *isTyping*: into a field; *hasG*: a `g` came just before. */
export function deedOf(press: Press, isTyping: boolean, hasG: boolean): Deed | null {
  const { key } = press;
  if (key === "Escape" && press.shiftKey) return { does: "kill" };
  if (key.toLowerCase() === "k" && (press.ctrlKey || press.metaKey)) return { does: "palette" };
  if (isTyping || press.ctrlKey || press.metaKey || press.altKey) return null;
  if (hasG) {
    const page = PAGES.find((each) => each.key === key);
    return page ? { does: "go", path: page.path } : null;
  }
  switch (key) {
    case "g":
      return { does: "wait" };
    case "/":
      return { does: "palette" };
    case "?":
      return { does: "help" };
    case "n":
      return { does: "ticket" };
    case "t":
      return { does: "scheme" };
    case "[":
      return { does: "step", by: -1 };
    case "]":
      return { does: "step", by: 1 };
    default:
      return null;
  }
}

const FIELDS = "input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]";
const G_MS = 1_200;

/** Listen, as long as somebody is logged in. */
export function useKeys(): void {
  useEffect(() => {
    let gMs = Number.NEGATIVE_INFINITY;
    const press = (event: KeyboardEvent) => {
      const isTyping = event.target instanceof Element && event.target.matches(FIELDS);
      const deed = deedOf(event, isTyping, event.timeStamp - gMs < G_MS);
      gMs = deed?.does === "wait" ? event.timeStamp : Number.NEGATIVE_INFINITY;
      const isBusy = useView.getState().open !== null;
      // What had the focus is gone, so the drawer itself would not hear it.
      if (isBusy && event.key === "Escape" && event.target === document.body) open(null);
      if (deed === null || (isBusy && deed.does !== "kill")) return;
      event.preventDefault();
      carryOut(deed);
    };
    window.addEventListener("keydown", press, true);
    return () => window.removeEventListener("keydown", press, true);
  }, []);
}

function carryOut(deed: Deed): void {
  if (deed.does === "go") go(deed.path);
  else if (deed.does === "step") step(deed.by);
  else if (deed.does === "scheme") toggleScheme();
  else if (deed.does !== "wait") open({ kind: deed.does });
}
