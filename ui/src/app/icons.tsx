// SPDX-License-Identifier: Apache-2.0
// The few pictures of the page, as paths: an icon package would weigh more than the page.
const PATHS = {
  dashboard: "M3 3h6v8H3zM11 3h6v5h-6zM11 10h6v7h-6zM3 13h6v4H3z",
  market: "M5 3v3M5 13v4M3.5 6h3v7h-3zM14 3v4M14 12v5M12.5 7h3v5h-3z",
  orders: "M4 5h12M4 10h12M4 15h7",
  positions: "M10 3l7 4-7 4-7-4zM3 11l7 4 7-4",
  strategies: "M4 16V9M10 16V4M16 16v-5",
  risk: "M10 3l6 2v5c0 4-3 6-6 7-3-1-6-3-6-7V5z",
  backtests: "M3 17V3M3 17h14M6 13l3-4 3 2 4-6",
  evolution: "M6 3c0 5 8 9 8 14M14 3c0 5-8 9-8 14M7 5h6M7 15h6",
  jobs: "M10 3v4M10 13v4M3 10h4M13 10h4M5 5l3 3M12 12l3 3M15 5l-3 3M8 12l-3 3",
  reconcile: "M4 7h9l-3-3M16 13H7l3 3",
  alerts: "M10 3a4.5 4.5 0 00-4.5 4.5V11L4 14h12l-1.5-3V7.5A4.5 4.5 0 0010 3zM8.5 16.5h3",
  logs: "M4 4h12v12H4zM7 8h6M7 12h4",
  settings: "M3 6h8M15 6h2M3 14h2M9 14h8M13 4v4M7 12v4",
  sun: "M10 6.5a3.5 3.5 0 100 7 3.5 3.5 0 000-7zM10 2v2M10 16v2M2 10h2M16 10h2M4.5 4.5l1.3 1.3M14.2 14.2l1.3 1.3M4.5 15.5l1.3-1.3M14.2 5.8l1.3-1.3",
  moon: "M16 11.5A6.5 6.5 0 118.5 4 5 5 0 0016 11.5z",
  search: "M9 4a5 5 0 100 10A5 5 0 009 4zM13 13l4 4",
  leave: "M8 4H4v12h4M8 10h9M14 7l3 3-3 3",
  mark: "M3 14l4.5-5 3 3L17 5",
} as const;

export type IconName = keyof typeof PATHS;

/** A picture of the colour of its text; what it means has to be said beside it. */
export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      aria-hidden="true"
      width={size}
      height={size}
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
