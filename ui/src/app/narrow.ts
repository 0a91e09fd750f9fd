// SPDX-License-Identifier: Apache-2.0
// Whether the window is as narrow as a phone's, as `page.css` has it too.
import { useSyncExternalStore } from "react";

const PHONE = "(max-width: 760px)";

function listen(changed: () => void): () => void {
  const query = window.matchMedia(PHONE);
  query.addEventListener("change", changed);
  return () => query.removeEventListener("change", changed);
}

export function useIsNarrow(): boolean {
  return useSyncExternalStore(listen, () => window.matchMedia(PHONE).matches);
}
