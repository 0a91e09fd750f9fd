// SPDX-License-Identifier: Apache-2.0
// The colours of the page, each once: the style sheet gets them as variables, the kit as its theme,
// the charts as values. Every text colour has at least 4.5:1 on the surfaces it stands on.
export type Scheme = "dark" | "light";

export interface Tokens {
  ground: string;
  panel: string;
  raised: string;
  line: string;
  text: string;
  quiet: string;
  accent: string;
  accentText: string;
  up: string;
  down: string;
  upWash: string;
  downWash: string;
  warn: string;
  grid: string;
  paper: string;
  testnet: string;
  live: string;
  replay: string;
  unknown: string;
  onMode: string;
}

export const TOKENS: Record<Scheme, Tokens> = {
  dark: {
    ground: "#0a0d12",
    panel: "#10151c",
    raised: "#171e28",
    line: "#1f2833",
    text: "#d6dee8",
    quiet: "#8593a3",
    accent: "#5bb0ff",
    accentText: "#06121f",
    up: "#35c491",
    down: "#f4717c",
    upWash: "rgba(53,196,145,0.14)",
    downWash: "rgba(244,113,124,0.14)",
    warn: "#e8b04a",
    grid: "#19212b",
    paper: "#5bb0ff",
    testnet: "#e8b04a",
    live: "#ff6b76",
    replay: "#b79bff",
    unknown: "#98a4b3",
    onMode: "#0a0d12",
  },
  light: {
    ground: "#eef1f5",
    panel: "#ffffff",
    raised: "#f5f7fa",
    line: "#dce2ea",
    text: "#17202b",
    quiet: "#566474",
    accent: "#1464b8",
    accentText: "#ffffff",
    up: "#067a55",
    down: "#c02a3c",
    upWash: "rgba(6,122,85,0.10)",
    downWash: "rgba(192,42,60,0.10)",
    warn: "#8a5a00",
    grid: "#edf0f4",
    paper: "#1464b8",
    testnet: "#8a5a00",
    live: "#b3142a",
    replay: "#6a3fc4",
    unknown: "#4d5a68",
    onMode: "#ffffff",
  },
};

/** Put the colours of a scheme in force for the style sheet. */
export function paint(scheme: Scheme): void {
  const root = document.documentElement;
  root.dataset.theme = scheme;
  for (const [name, value] of Object.entries(TOKENS[scheme])) {
    root.style.setProperty(`--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`, value);
  }
}
