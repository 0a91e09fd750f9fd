// SPDX-License-Identifier: Apache-2.0
// One agent: its rules in words, where it came from, its shadow against what was expected, what
// stands between it and the next stage, and the decisions that a person may take.
import Button from "@mui/material/Button";
import Drawer from "@mui/material/Drawer";
import TextField from "@mui/material/TextField";
import { type FormEvent, useMemo, useState } from "react";
import { wordsOf } from "../api/client";
import type { AgentSeen } from "../api/documents";
import { useScheme } from "../app/theme";
import { TOKENS } from "../app/tokens";
import { Credit, CurvesChart } from "../charts/CurveChart";
import { percent } from "../format/numbers";
import { dateClock } from "../format/times";
import { Gain } from "../parts/Amount";
import { GateTable } from "../parts/GateTable";
import { isAllowed, useSession } from "../session/session";
import { curvesOf, mean, words } from "./agents";
import { useMove, type Way } from "./queries";

const UP: Record<string, Way> = { SHADOW: "PAPER", PAPER: "LIVE_MIN", LIVE_MIN: "LIVE" };

export function AgentDrawer({ agent, close }: { agent: AgentSeen; close: () => void }) {
  return (
    <Drawer
      anchor="right"
      open
      onClose={close}
      slotProps={{
        paper: {
          role: "dialog",
          "aria-labelledby": "agent-title",
          sx: { width: 460, maxWidth: "100vw", p: 2 },
        },
      }}
    >
      <div className="row">
        <h2 id="agent-title" className="grow" style={{ fontSize: 15 }}>
          Agent <span className="mono">{agent.id}</span>
        </h2>
        <button type="button" className="mini" onClick={close}>
          Close
        </button>
      </div>
      <p className="mono" style={{ overflowWrap: "anywhere", margin: "8px 0 12px" }}>
        {agent.genome}
      </p>
      <Facts agent={agent} />
      <Shadow agent={agent} />
      <Gates agent={agent} />
      <Decide agent={agent} />
    </Drawer>
  );
}

function Facts({ agent }: { agent: AgentSeen }) {
  return (
    <dl className="facts" style={{ padding: "0 0 14px" }}>
      <dt>Stage</dt>
      <dd>
        {words(agent.stage)}
        {agent.since && <span className="quiet"> since {dateClock(agent.since)}</span>}
      </dd>
      <dt>Health</dt>
      <dd>{words(agent.health)}</dd>
      <dt>Came</dt>
      <dd>
        {agent.born} in generation {agent.generation}
        {agent.parents.length > 0 && (
          <>
            {" "}
            of <span className="mono">{agent.parents.join(", ")}</span>
          </>
        )}
      </dd>
      <dt>Seat</dt>
      <dd>
        {agent.share > 0 ? `${agent.symbols.join(", ")} with ${percent(agent.share, 1)}` : "none"}
      </dd>
      <dt>Profit of its trades</dt>
      <dd>
        <Gain value={agent.profit} /> USDT, {agent.traded} trades
      </dd>
      <dt>A day in the shadow</dt>
      <dd>
        {percent(mean(agent), 3)}, expected {percent(agent.expected_mean, 3)} ±{" "}
        {percent(agent.expected_deviation, 2)}
      </dd>
      <dt>Today, until the last look</dt>
      <dd>{percent(agent.today, 3)}</dd>
    </dl>
  );
}

function Shadow({ agent }: { agent: AgentSeen }) {
  const tokens = TOKENS[useScheme((state) => state.scheme)];
  const curves = useMemo(() => {
    const found = curvesOf(agent);
    return [
      { name: "low", curve: found.low, colour: tokens.line },
      { name: "high", curve: found.high, colour: tokens.line },
      { name: "expected", curve: found.expected, colour: tokens.quiet },
      { name: "shadow", curve: found.shadow, colour: tokens.accent },
    ];
  }, [agent, tokens]);
  if (agent.days.length < 2) {
    return <p className="quiet">Its shadow is drawn from the second whole day on.</p>;
  }
  return (
    <figure style={{ margin: "0 0 14px" }}>
      <div style={{ height: 180, display: "flex", position: "relative" }}>
        <CurvesChart curves={curves} />
      </div>
      <figcaption className="quiet">
        Shadow against what was expected, with two deviations. <Credit />
      </figcaption>
    </figure>
  );
}

function Gates({ agent }: { agent: AgentSeen }) {
  if (agent.gates.length === 0) {
    return <p className="quiet">No gate leads further from here.</p>;
  }
  return (
    <div style={{ marginBottom: 14 }}>
      <GateTable label="Gates to the next stage" gates={agent.gates} />
    </div>
  );
}

function Decide({ agent }: { agent: AgentSeen }) {
  const [reason, setReason] = useState("");
  const move = useMove();
  const role = useSession((session) => session.role);
  const up = UP[agent.stage];
  const isUnder = agent.stage === "RETIRED";
  const say = (to: Way) => move.mutate({ id: agent.id, to, reason });
  const isShort = reason.trim() === "" || move.isPending;
  if (isUnder) return null;
  return (
    <form
      className="stack"
      style={{ gap: 10 }}
      onSubmit={(event: FormEvent) => event.preventDefault()}
    >
      <TextField
        label="Reason"
        value={reason}
        onChange={(event) => setReason(event.target.value)}
      />
      {move.isError && (
        <p role="alert" className="down">
          {wordsOf(move.error)}
        </p>
      )}
      <div className="row" style={{ justifyContent: "flex-end" }}>
        <Button
          color="inherit"
          disabled={isShort || !isAllowed(role, "operator")}
          onClick={() => say("RETIRED")}
        >
          Retire
        </Button>
        {up !== undefined && (
          <Button
            variant="contained"
            disabled={isShort || !isAllowed(role, "risk")}
            onClick={() => say(up)}
          >
            Promote to {words(up).toLowerCase()}
          </Button>
        )}
      </div>
    </form>
  );
}
