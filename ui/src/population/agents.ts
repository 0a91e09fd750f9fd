// SPDX-License-Identifier: Apache-2.0
// Words and figures of agents.
import type { AgentSeen, Curve } from "../api/documents";

export const STAGE_TONES: Record<string, string> = {
  PAPER: "up",
  LIVE_MIN: "up",
  LIVE: "up",
  BORN: "quiet",
  RETIRED: "quiet",
};

export const HEALTH_TONES: Record<string, string> = {
  HEALTHY: "up",
  WATCH: "warn",
  REHAB: "warn",
  QUARANTINE: "down",
};

const NAMED = new Set([...Object.keys(STAGE_TONES), ...Object.keys(HEALTH_TONES)]);
for (const stage of ["VALIDATED", "TESTED", "SHADOW"]) NAMED.add(stage);

/** A stage or a state of health as a word, LIVE_MIN as "Live min"; all else stays what it is. */
export function words(constant: string): string {
  if (!NAMED.has(constant)) return constant;
  const text = constant.replaceAll("_", " ").toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Mean result of its days in the shadow, `null` before the first. */
export function mean(agent: AgentSeen): number | null {
  if (agent.days.length === 0) return null;
  return agent.days.reduce((sum, day) => sum + day.result, 0) / agent.days.length;
}

const DAY_MS = 86_400_000;

/** What one unit became in the shadow, and what it was expected to become, with two deviations. */
export function curvesOf(agent: AgentSeen): Record<"shadow" | "expected" | "low" | "high", Curve> {
  const first = agent.days[0];
  const before = first === undefined ? [] : [Date.parse(first.day) - DAY_MS];
  const ts = [...before, ...agent.days.map((day) => Date.parse(day.day))].map((at) =>
    new Date(at + DAY_MS).toISOString(),
  );
  const shadow = first === undefined ? [] : [1];
  for (const day of agent.days) shadow.push((shadow.at(-1) ?? 1) * (1 + day.result));
  const band = (deviations: number) =>
    ts.map((_, n) => {
      const spread = deviations * agent.expected_deviation * Math.sqrt(n);
      return Math.exp(agent.expected_mean * n + spread);
    });
  const curve = (equity: number[]): Curve => ({ ts, equity, exposure: [] });
  return {
    shadow: curve(shadow),
    expected: curve(band(0)),
    low: curve(band(-2)),
    high: curve(band(2)),
  };
}
