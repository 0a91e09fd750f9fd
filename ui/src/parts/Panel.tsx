// SPDX-License-Identifier: Apache-2.0
// A framed part of a screen, with its four states: it loads, has nothing, is broken, or is older
// than it should be. Each says what it is and what comes next.
import type { ReactNode } from "react";

interface PanelProps {
  title: string;
  note?: ReactNode;
  tools?: ReactNode;
  className?: string;
  isStale?: boolean;
  height?: number | string;
  children: ReactNode;
}

export function Panel({ title, note, tools, className, isStale, height, children }: PanelProps) {
  const classes = ["panel", className, isStale ? "stale" : ""].filter(Boolean).join(" ");
  return (
    <section className={classes} aria-label={title} style={{ height }}>
      <header>
        <h2>
          {title}
          {note !== undefined && <small>{note}</small>}
        </h2>
        {isStale && <span className="badge warn">not live</span>}
        <div className="tools">{tools}</div>
      </header>
      <div className="body">{children}</div>
    </section>
  );
}

/** Nothing there, and why, or what to do. */
export function Empty({ what, children }: { what: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <b>{what}</b>
      {children !== undefined && <span>{children}</span>}
    </div>
  );
}

/** Something that comes. */
export function Loading({ lines = 4 }: { lines?: number }) {
  return (
    <div className="bones" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, n) => (
        <i key={n} style={{ width: `${92 - ((n * 23) % 40)}%` }} />
      ))}
    </div>
  );
}

/** Something that failed, with the way to try again. */
export function Failed({ error, again }: { error: unknown; again: () => void }) {
  return (
    <div className="empty" role="alert">
      <b className="down">Could not be loaded</b>
      <span>{error instanceof Error ? error.message : "The engine refused."}</span>
      <button type="button" className="mini" onClick={again}>
        Try again
      </button>
    </div>
  );
}
