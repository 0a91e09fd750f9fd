// SPDX-License-Identifier: Apache-2.0
// A value as it was when it last stood still, so that no request goes out for each key.
import { useEffect, useState } from "react";

const CALM_MS = 200;

/** *value*, once it has not changed for a moment; compared by what it says. */
export function useCalm<Value>(value: Value): Value {
  const [calm, setCalm] = useState(value);
  const text = JSON.stringify(value);
  useEffect(() => {
    const timer = window.setTimeout(() => setCalm(JSON.parse(text) as Value), CALM_MS);
    return () => window.clearTimeout(timer);
  }, [text]);
  return calm;
}
