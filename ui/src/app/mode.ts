// SPDX-License-Identifier: Apache-2.0
// In which mode the engine is, as the server says it and nobody else. Without a word of its status
// for three seconds the page does not know, and says that instead of the last it knew: somebody
// may have started a live engine meanwhile.
import { useLive } from "../stream/live";
import { useNow } from "./clock";

export const SILENT_MS = 3_000;
export type Mode = "PAPER" | "LIVE" | "TESTNET" | "REPLAY" | "NONE" | "UNKNOWN";
const KNOWN: readonly Mode[] = ["PAPER", "LIVE", "TESTNET", "REPLAY", "NONE"];

const COLOURS: Record<Mode, string> = {
  PAPER: "var(--paper)",
  LIVE: "var(--live)",
  TESTNET: "var(--testnet)",
  REPLAY: "var(--replay)",
  NONE: "var(--unknown)",
  UNKNOWN: "var(--unknown)",
};

/** The mode to show. *heardMs*: when the status was last told. */
export function modeOf(said: string | undefined, heardMs: number | undefined, nowMs: number): Mode {
  if (said === undefined || heardMs === undefined || nowMs - heardMs > SILENT_MS) return "UNKNOWN";
  return KNOWN.find((mode) => mode === said) ?? "UNKNOWN";
}

/** The colour of a mode. */
export function colourOf(mode: Mode): string {
  return COLOURS[mode];
}

/** The mode, as of now. */
export function useMode(): Mode {
  const said = useLive((live) => live.status?.mode);
  const heardMs = useLive((live) => live.heardMs.system_status);
  return modeOf(said, heardMs, useNow());
}
