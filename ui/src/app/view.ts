// SPDX-License-Identifier: Apache-2.0
// What the person looks at, shared by the screens: the symbol, and which drawer or dialog is open.
// One at a time, since two that are open at once hide each other.
import { create } from "zustand";
import { PriceDigits } from "../format/numbers";
import { useLive } from "../stream/live";

export type Open =
  | { kind: "kill" }
  | { kind: "palette" }
  | { kind: "help" }
  | { kind: "ticket" }
  | { kind: "close"; symbol: string }
  | { kind: "why"; orderId: string };

interface View {
  symbol: string | null;
  open: Open | null;
}

export const useView = create<View>(() => ({ symbol: null, open: null }));
export const digits = new PriceDigits();

useLive.subscribe((live, before) => {
  if (live.quotes === before.quotes) return;
  for (const quote of live.quotes ?? []) {
    for (const price of [quote.price, quote.bid, quote.ask]) digits.see(quote.symbol, price);
  }
});

/** Open a drawer or a dialog. */
export function open(what: Open | null): void {
  useView.setState({ open: what });
}

/** Look at a symbol. */
export function choose(symbol: string): void {
  useView.setState({ symbol });
}

/** The symbol that is looked at: the chosen one, else the engine's first. */
export function useSymbol(): string | null {
  const chosen = useView((view) => view.symbol);
  const first = useLive((live) => live.status?.symbols[0] ?? null);
  const isTraded = useLive((live) => live.status?.symbols.includes(chosen ?? "") ?? false);
  return isTraded ? chosen : first;
}

/** The next symbol of the engine, or the one before. */
export function step(by: 1 | -1): void {
  const symbols = useLive.getState().status?.symbols ?? [];
  if (symbols.length === 0) return;
  const at = Math.max(0, symbols.indexOf(useView.getState().symbol ?? symbols[0] ?? ""));
  choose(symbols[(at + by + symbols.length) % symbols.length] ?? "");
}
