// SPDX-License-Identifier: Apache-2.0
// What stands around every screen: the mode of the engine, what the account is worth, the way to
// the other screens, and the red button, which is always there.
import { type CSSProperties, type ReactNode, useEffect } from "react";
import { useGate } from "../api/queries";
import { money, percent } from "../format/numbers";
import { clock } from "../format/times";
import { Gain } from "../parts/Amount";
import { useIsFollowed } from "../parts/LiveGate";
import { end } from "../session/session";
import { hurry, useLive } from "../stream/live";
import { useNow } from "./clock";
import { Icon } from "./icons";
import { colourOf, useMode } from "./mode";
import { go, PAGES, usePath } from "./route";
import { toggleScheme, useScheme } from "./theme";
import { open } from "./view";

const STALE_S = 2;

export function Frame({ children }: { children: ReactNode }) {
  const mode = useMode();
  const path = usePath();
  const style = { "--mode": colourOf(mode) } as CSSProperties;
  return (
    <div className="frame" style={style}>
      <Top mode={mode} />
      <Nav />
      <main className="main" id="main" tabIndex={-1}>
        <h1 className="sr">{PAGES.find((page) => page.path === path)?.name}</h1>
        <Notices mode={mode} />
        {children}
      </main>
    </div>
  );
}

function Top({ mode }: { mode: string }) {
  const status = useLive((live) => live.status);
  const account = useLive((live) => live.portfolio);
  const level = useLive((live) => live.risk?.level ?? "RUN");
  const scheme = useScheme((state) => state.scheme);
  const isHalted = level !== "RUN";
  useTitle(mode, isHalted, account?.pnl_today);
  return (
    <header className="top">
      <a
        className="mark"
        href="#main"
        aria-label="HEAN"
        style={{ color: "inherit", textDecoration: "none" }}
      >
        <Icon name="mark" size={20} />
        <span>HEAN</span>
      </a>
      <strong className="mode" data-testid="mode">
        {mode === "NONE" ? "NO ENGINE" : mode}
      </strong>
      <Link />
      <span className="origin quiet">{mode === "UNKNOWN" ? "" : status?.origin}</span>
      <dl className="figures">
        <div>
          <dt>Equity, USDT</dt>
          <dd>{money(account?.equity)}</dd>
        </div>
        <div>
          <dt>Today</dt>
          <dd>
            <Gain value={account?.pnl_today} />
          </dd>
        </div>
        <div>
          <dt>Drawdown</dt>
          <dd>{percent(account?.max_drawdown_fraction)}</dd>
        </div>
        <Clock />
      </dl>
      <button
        type="button"
        className={isHalted ? "stop held" : "stop"}
        data-testid="kill"
        title="Shift+Escape"
        onClick={() => open({ kind: "kill" })}
      >
        {isHalted ? "STOPPED" : "STOP"}
      </button>
      <button
        type="button"
        className="icon"
        aria-label="Commands (Ctrl+K)"
        onClick={() => open({ kind: "palette" })}
      >
        <Icon name="search" />
      </button>
      <button
        type="button"
        className="icon wide-only"
        aria-label="Other colours"
        onClick={toggleScheme}
      >
        <Icon name={scheme === "dark" ? "sun" : "moon"} />
      </button>
      <button type="button" className="icon wide-only" aria-label="Log out" onClick={end}>
        <Icon name="leave" />
      </button>
    </header>
  );
}

/** The connection, as a lamp and a word. */
function Link() {
  const connection = useLive((live) => live.connection);
  const heardMs = useLive((live) => live.heardMs.system_status);
  const state = useLive((live) => live.status?.state);
  const nowMs = useNow();
  const ageS = heardMs === undefined ? null : (nowMs - heardMs) / 1000;
  const isStale = ageS === null || ageS > STALE_S;
  const isGood = connection === "open" && !isStale;
  const word = isGood
    ? (state ?? "").toLowerCase()
    : connection === "open"
      ? `silent ${Math.floor(ageS ?? 0)} s`
      : connection;
  const tone = !isGood ? "bad" : state === "RUNNING" ? "good" : "odd";
  return (
    <span className="row" aria-live="polite">
      <span className={`lamp ${tone}`} aria-hidden="true" />
      <span className="quiet">{word}</span>
    </span>
  );
}

function Clock() {
  return (
    <div>
      <dt>UTC</dt>
      <dd>{clock(useNow())}</dd>
    </div>
  );
}

function Nav() {
  const path = usePath();
  return (
    <nav className="nav" aria-label="Screens">
      {PAGES.map((page) => (
        <a
          key={page.path}
          href={`#/${page.path}`}
          aria-current={page.path === path ? "page" : undefined}
          title={`${page.name} (g ${page.key})`}
        >
          <Icon name={page.icon} />
          {page.name}
        </a>
      ))}
    </nav>
  );
}

/** What a person has to know wherever they are. */
function Notices({ mode }: { mode: string }) {
  const connection = useLive((live) => live.connection);
  const status = useLive((live) => live.status);
  const level = useLive((live) => live.risk?.level ?? "RUN");
  return (
    <>
      {connection === "waiting" && (
        <p className="notice bad" role="alert">
          Disconnected.
          <span className="grow">
            What is shown is old. Trying again; the kill switch still works.
          </span>
          <button type="button" className="mini" onClick={hurry}>
            Now
          </button>
        </p>
      )}
      {connection === "open" && mode === "UNKNOWN" && status !== null && (
        <p className="notice bad" role="alert">
          Silent.<span>The engine says nothing, so its mode is not known.</span>
        </p>
      )}
      <GateNotice />
      {level !== "RUN" && (
        <p className="notice bad" role="alert">
          Trading is stopped: {level.replace("_", " ").toLowerCase()}.
          <span className="grow" />
          <button type="button" className="mini" onClick={() => open({ kind: "kill" })}>
            Release…
          </button>
        </p>
      )}
      {status && ["STOPPED", "FAILED", "STARTING", "STOPPING"].includes(status.state) && (
        <p className={status.state === "FAILED" ? "notice bad" : "notice"} role="status">
          The engine {status.state === "FAILED" ? "has" : "is"} {status.state.toLowerCase()}.
          <span>{status.error ?? "Settings has its switch."}</span>
        </p>
      )}
    </>
  );
}

/** A gate that is closed while its engine runs: said wherever the person is. */
function GateNotice() {
  const isFollowed = useIsFollowed();
  const state = useLive((live) => live.status?.state);
  const gate = useGate(isFollowed);
  if (!isFollowed || state !== "RUNNING" || gate.data === undefined || gate.data.is_open) {
    return null;
  }
  return (
    <p className="notice" role="status">
      Nothing new leaves.<span className="grow">Missing: {gate.data.missing.join("; ")}.</span>
      <button type="button" className="mini" onClick={() => go("settings")}>
        Live gate
      </button>
    </p>
  );
}

/** The title of the tab says mode, stop and gain, for those who look at another one. */
function useTitle(mode: string, isHalted: boolean, today: string | undefined): void {
  const gain = Number(today ?? 0);
  const mark = isHalted ? "■ stopped" : gain > 0.005 ? "▲" : gain < -0.005 ? "▼" : "";
  useEffect(() => {
    document.title = ["HEAN", mode, mark].filter(Boolean).join(" ");
  }, [mode, mark]);
}
