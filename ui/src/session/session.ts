// SPDX-License-Identifier: Apache-2.0
// Who is at the page. The token lives in the storage of this tab alone: it ends with the tab, no
// other site and no later visitor finds it. A pairing code comes in the fragment of a link, which
// no server and no log sees, and is taken out of the address before anything else happens.
import { create } from "zustand";

const KEY = "hean.token";
const CODE = /^#pair=([A-Za-z0-9_-]{1,64})$/;

export type Role = "viewer" | "operator" | "trader" | "risk" | "admin";
const RANKS: readonly Role[] = ["viewer", "operator", "trader", "risk", "admin"];

interface Session {
  token: string | null;
  name: string;
  role: Role | null;
}

export const useSession = create<Session>(() => ({
  token: sessionStorage.getItem(KEY),
  name: "",
  role: null,
}));

/** Keep a token that the engine has accepted. */
export function begin(token: string, name: string, role: string): void {
  sessionStorage.setItem(KEY, token);
  useSession.setState({ token, name, role: role as Role });
}

/** Forget it. */
export function end(): void {
  sessionStorage.removeItem(KEY);
  useSession.setState({ token: null, name: "", role: null });
}

/** The pairing code of this address, which then no longer has it; `null` without one. */
export function takePairingCode(location: Location, history: History): string | null {
  const found = CODE.exec(location.hash);
  if (found === null) return null;
  history.replaceState(null, "", location.pathname + location.search);
  return found[1] ?? null;
}

/** Whether somebody of `role` may do what needs `least`. The engine decides; this is for the eye. */
export function isAllowed(role: Role | null, least: Role): boolean {
  return role !== null && RANKS.indexOf(role) >= RANKS.indexOf(least);
}
