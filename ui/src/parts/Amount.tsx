// SPDX-License-Identifier: Apache-2.0
// Numbers with a direction. The sign is written as well as coloured: not everybody sees the colour.
import { direction, signedMoney } from "../format/numbers";

/** A gain or a loss. */
export function Gain({ value }: { value: string | number | null | undefined }) {
  const way = direction(value);
  return <span className={way > 0 ? "up" : way < 0 ? "down" : ""}>{signedMoney(value)}</span>;
}

/** Buy or sell. */
export function SideWord({ side }: { side: string }) {
  return <span className={side === "BUY" ? "up" : "down"}>{side === "BUY" ? "Buy" : "Sell"}</span>;
}

const TONES: Record<string, string> = {
  FILLED: "up",
  REJECTED: "down",
  UNKNOWN: "warn",
  QUARANTINE: "warn",
  WORKING: "",
  PARTIAL: "",
};

/** The status of an order. */
export function StatusWord({ status }: { status: string }) {
  const word = status.charAt(0) + status.slice(1).toLowerCase();
  return <span className={TONES[status] ?? "quiet"}>{word}</span>;
}
