// SPDX-License-Identifier: Apache-2.0
// The card of the tour. It lies beside what it speaks of and takes nothing away: every part of the
// page can be used meanwhile. Escape in it ends it.
import { type KeyboardEvent, useEffect, useRef } from "react";
import { useMode } from "../app/mode";
import { go, usePath } from "../app/route";
import { useLive } from "../stream/live";
import { beginTour, endTour, moveTour, STEPS, type Step, useTour } from "./steps";

const LOOK_MS = 200; // for what is pointed at: a screen may draw it late, or anew

export function Tour() {
  const { at, wasSeen } = useTour();
  const mode = useMode();
  useEffect(() => {
    if (!wasSeen && at === null && mode === "PAPER") beginTour();
  }, [wasSeen, at, mode]);
  const step = at === null ? undefined : STEPS[at];
  if (at === null || step === undefined) return null;
  return <Card step={step} at={at} key={at} />;
}

function Card({ step, at }: { step: Step; at: number }) {
  const card = useRef<HTMLElement>(null);
  const isStopped = useLive((live) => (live.risk?.level ?? "RUN") !== "RUN");
  const isLast = at === STEPS.length - 1;
  useEffect(() => {
    go(step.path);
    card.current?.focus();
  }, [step]);
  const path = usePath();
  useEffect(() => (path === step.path ? pointAt(step.target) : undefined), [path, step]);
  const press = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || event.shiftKey) return;
    event.stopPropagation();
    endTour();
  };
  return (
    <section
      className="tour"
      role="dialog"
      aria-labelledby="tour-title"
      aria-describedby="tour-text"
      tabIndex={-1}
      ref={card}
      onKeyDown={press}
    >
      <h2 id="tour-title">{step.title}</h2>
      <p id="tour-text" aria-live="polite">
        {isStopped && step.stopped ? step.stopped : step.text}
      </p>
      <div className="row">
        <span className="quiet grow">
          {at + 1} of {STEPS.length}
        </span>
        <button type="button" className="mini" onClick={endTour}>
          {isLast ? "Close" : "Skip the tour"}
        </button>
        {at > 0 && (
          <button type="button" className="mini" onClick={() => moveTour(-1)}>
            Back
          </button>
        )}
        {!isLast && (
          <button type="button" className="mini next" onClick={() => moveTour(1)}>
            Next
          </button>
        )}
      </div>
    </section>
  );
}

/** Mark what a selector names, whenever it comes and as often as it is made anew. *Returns*: takes
 *  the mark off. */
function pointAt(selector: string): () => void {
  let marked: Element | null = null;
  const look = () => {
    const found = document.querySelector(selector);
    if (found === null || found === marked) return;
    if (marked === null) found.scrollIntoView({ block: "nearest" });
    found.setAttribute("data-toured", "");
    marked = found;
  };
  look();
  const timer = window.setInterval(look, LOOK_MS);
  return () => {
    window.clearInterval(timer);
    marked?.removeAttribute("data-toured");
  };
}
