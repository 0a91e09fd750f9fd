// SPDX-License-Identifier: Apache-2.0
// Gates: what was found, what is needed, and whether it passes, in a word and in colour.
import { numberOf, UNKNOWN } from "../format/numbers";

export interface Gate {
  name: string;
  found: number | string | null;
  needed: string;
  passed: boolean;
}

const WRAPS = { whiteSpace: "normal" } as const;

export function GateTable({ label, gates }: { label: string; gates: readonly Gate[] }) {
  return (
    <div className="grid" style={{ height: "auto" }}>
      <table aria-label={label}>
        <thead>
          <tr>
            <th scope="col">Gate</th>
            <th scope="col" className="num">
              Found
            </th>
            <th scope="col">Needed</th>
            <th scope="col">Verdict</th>
          </tr>
        </thead>
        <tbody>
          {gates.map((gate) => (
            <tr key={gate.name}>
              <td style={WRAPS}>{gate.name}</td>
              <td className="num">{shown(gate.found)}</td>
              <td className="quiet" style={WRAPS}>
                {gate.needed}
              </td>
              <td className={gate.passed ? "up" : "down"}>{gate.passed ? "passes" : "fails"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function shown(value: Gate["found"]): string {
  const found = numberOf(value);
  if (found === null) return value === null ? UNKNOWN : String(value);
  if (Number.isInteger(found)) return String(found);
  return Math.abs(found) < 100 ? found.toPrecision(3) : found.toFixed(1);
}
