// SPDX-License-Identifier: Apache-2.0
// The documents of the API by the names the page uses. `schema.d.ts` is generated from the
// OpenAPI document and is the only source of their fields.
import type { components } from "./schema";

type Schemas = components["schemas"];

export type AgentSeen = Schemas["AgentSeen"];
export type Alert = Schemas["Alert"];
export type BacktestAsked = Schemas["BacktestAsked"];
export type Bar = Schemas["Bar"];
export type Chain = Schemas["Chain"];
export type Curve = Schemas["Curve"];
export type DataSet = Schemas["DataSet"];
export type Decision = Schemas["Decision"];
export type DeclaredParameter = Schemas["DeclaredParameter"];
export type DeclaredStrategy = Schemas["DeclaredStrategy"];
export type EvaluateAsked = Schemas["EvaluateAsked"];
export type EvolveAsked = Schemas["EvolveAsked"];
export type Fill = Schemas["Fill"];
export type Happening = Schemas["HappeningSeen"];
export type Health = Schemas["Health"];
export type Job = Schemas["Job"];
export type JobReport = Schemas["Report"];
export type KillAsked = Schemas["KillAsked"];
export type KillSwitch = Schemas["KillSwitch"];
/** Levels as they come off the line: the pairs of the document, read as plain lists. */
export type Ladder = Omit<Schemas["Ladder"], "bids" | "asks"> & {
  bids: number[][];
  asks: number[][];
};
export type Line = Schemas["Line"];
export type Limit = Schemas["Limit"];
export type Order = Schemas["Order"];
export type OrderAsked = Schemas["OrderAsked"];
export type PopulationSeen = Schemas["PopulationSeen"];
export type Portfolio = Schemas["Portfolio"];
export type Holding = Schemas["Holding"];
export type Position = Schemas["Position"];
export type Preview = Schemas["Preview"];
export type Problem = Schemas["Problem"];
export type Quote = Schemas["Quote"];
export type Risk = Schemas["Risk"];
export type Reconciled = Schemas["Reconciled"];
export type ResolveAsked = Schemas["ResolveAsked"];
export type Setting = Schemas["Setting"];
export type Status = Schemas["Status"];
export type Strategy = Schemas["Strategy"];
export type Told = Schemas["Told"];
export type Trade = Schemas["Trade"];
export type Why = Schemas["Why"];
