// SPDX-License-Identifier: Apache-2.0
// The gate from backtest to paper, line by line.
import { numberOf, UNKNOWN } from "../format/numbers";

interface Gate {
  name: string;
  value: number | string | null;
  needed: string;
  passed: boolean;
}

export function Gates({ result }: { result: Record<string, unknown> }) {
  const gates = (result.gates ?? []) as Gate[];
  return (
    <div className="grid" style={{ height: "auto" }}>
      <table aria-label="The gate">
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
              <td>{gate.name}</td>
              <td className="num">{shown(gate.value)}</td>
              <td className="quiet">{gate.needed}</td>
              <td className={gate.passed ? "up" : "down"}>{gate.passed ? "passes" : "fails"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function shown(value: Gate["value"]): string {
  const found = numberOf(value);
  if (found === null) return value === null ? UNKNOWN : String(value);
  return Number.isInteger(found) ? String(found) : found.toFixed(3);
}
