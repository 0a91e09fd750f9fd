// SPDX-License-Identifier: Apache-2.0
// A lamp for each part of the engine. Its word stands beside it.
import { useHealth } from "../api/queries";
import { Failed, Loading } from "./Panel";

const GOOD = new Set(["running", "healthy", "ready", "connected", "fresh", "up"]);
const OFF = new Set(["disabled", "not used", "stopped"]);

function toneOf(state: string): string {
  const word = state.toLowerCase();
  if (GOOD.has(word)) return "good";
  return OFF.has(word) ? "" : word.startsWith("fail") || word === "down" ? "bad" : "odd";
}

export function HealthLamps() {
  const health = useHealth();
  if (health.isPending) return <Loading lines={2} />;
  if (health.isError) return <Failed error={health.error} again={() => health.refetch()} />;
  const services = Object.entries(health.data.services);
  const parts = Object.entries(health.data.components).map(([name, part]) => [name, part.state]);
  return (
    <ul className="lamps">
      {[...services, ...parts].map(([name = "", state = ""]) => (
        <li key={name}>
          <span className={`lamp ${toneOf(state)}`} aria-hidden="true" />
          {name.replaceAll("_", " ")} <span className="quiet">{state}</span>
        </li>
      ))}
    </ul>
  );
}
