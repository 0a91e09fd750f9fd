// SPDX-License-Identifier: Apache-2.0
// The kit in the page's colours, small and square as a terminal is, and which scheme is in force:
// the one that was chosen here, else that of the machine.
import { createTheme, type Theme } from "@mui/material/styles";
import { create } from "zustand";
import { paint, type Scheme, TOKENS } from "./tokens";

const KEY = "hean.scheme";
const FONT = '"Inter Variable", Inter, system-ui, -apple-system, "Segoe UI", sans-serif';

const machineLight = window.matchMedia("(prefers-color-scheme: light)");

export const useScheme = create<{ scheme: Scheme }>(() => ({ scheme: first() }));

// A machine may go dark in the evening while the page stays open.
machineLight.addEventListener("change", () => {
  if (chosen() === null) put(first());
});

/** The other scheme from now on. */
export function toggleScheme(): void {
  const scheme = useScheme.getState().scheme === "dark" ? "light" : "dark";
  localStorage.setItem(KEY, scheme);
  put(scheme);
}

function put(scheme: Scheme): void {
  paint(scheme);
  useScheme.setState({ scheme });
}

/** The kit's theme of a scheme. */
export function themeOf(scheme: Scheme): Theme {
  const t = TOKENS[scheme];
  return createTheme({
    palette: {
      mode: scheme,
      primary: { main: t.accent, contrastText: t.accentText },
      error: { main: t.down, contrastText: t.onMode },
      warning: { main: t.warn, contrastText: t.onMode },
      success: { main: t.up, contrastText: t.onMode },
      text: { primary: t.text, secondary: t.quiet },
      background: { default: t.ground, paper: t.panel },
      divider: t.line,
    },
    shape: { borderRadius: 6 },
    typography: { fontFamily: FONT, fontSize: 13, button: { textTransform: "none" } },
    transitions: { duration: { enteringScreen: 120, leavingScreen: 80 } },
    components: {
      MuiPaper: {
        styleOverrides: { root: { backgroundImage: "none", border: `1px solid ${t.line}` } },
      },
      MuiButton: {
        defaultProps: { size: "small", disableElevation: true },
        styleOverrides: { root: { fontWeight: 600, minWidth: 0, lineHeight: 1.5 } },
      },
      MuiButtonBase: { defaultProps: { disableRipple: true } },
      MuiTextField: { defaultProps: { size: "small", fullWidth: true } },
      MuiSwitch: { defaultProps: { size: "small" } },
      MuiTooltip: { defaultProps: { enterDelay: 400 } },
    },
  });
}

function first(): Scheme {
  return chosen() ?? (machineLight.matches ? "light" : "dark");
}

function chosen(): Scheme | null {
  const kept = localStorage.getItem(KEY);
  return kept === "dark" || kept === "light" ? kept : null;
}
