// SPDX-License-Identifier: Apache-2.0
// Moments and spans. All times are UTC, as in the journal, so that two people who look at one
// screen talk of the same moment.
import { UNKNOWN } from "./numbers";

/** `17:27:25`, of an ISO-8601 moment or of milliseconds. */
export function clock(moment: string | number | null | undefined): string {
  const at = millis(moment);
  return at === null ? UNKNOWN : new Date(at).toISOString().slice(11, 19);
}

/** `17:27:25.502`. */
export function clockMs(moment: string | null | undefined): string {
  const at = millis(moment);
  return at === null ? UNKNOWN : new Date(at).toISOString().slice(11, 23);
}

/** `2026-11-29 17:27:25`. */
export function dateClock(moment: string | null | undefined): string {
  const at = millis(moment);
  return at === null ? UNKNOWN : new Date(at).toISOString().slice(0, 19).replace("T", " ");
}

/** `2 h 05 min`, `5 min 12 s`, `12 s`. */
export function span(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return UNKNOWN;
  const whole = Math.max(0, Math.floor(seconds));
  const [days, hours] = [Math.floor(whole / 86_400), Math.floor(whole / 3600) % 24];
  const minutes = Math.floor(whole / 60) % 60;
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${pad(minutes)} min`;
  return minutes > 0 ? `${minutes} min ${pad(whole % 60)} s` : `${whole} s`;
}

/** Milliseconds of an ISO-8601 moment; nanoseconds are cut off. `null` for what is none. */
export function millis(moment: string | number | null | undefined): number | null {
  if (typeof moment === "number") return moment;
  if (!moment) return null;
  const at = Date.parse(moment.replace(/(\.\d{3})\d+/, "$1"));
  return Number.isNaN(at) ? null : at;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
