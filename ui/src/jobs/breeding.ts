// SPDX-License-Identifier: Apache-2.0
// What a person types into the form of an evolution, what is wrong with it and what is asked for
// it, and the champions of a report as rows. Pure, but for the draft that is kept.
import { create } from "zustand";
import type { DataSet, EvolveAsked } from "../api/documents";
import { symbolsOf } from "./form";

export const GENOMES_MAX = 20_000;
const PLAYED = new Set(["candles", "funding"]);

export interface Breeding {
  data: string[];
  population: string;
  generations: string;
  minTrades: string;
  seed: string;
  title: string;
}

export const useBreeding = create<Breeding>(() => ({
  data: [],
  population: "50",
  generations: "20",
  minTrades: "100",
  seed: "0",
  title: "",
}));

/** Markets that can be bred on: bars, and what holding them cost. */
export function bredOn(sets: readonly DataSet[]): DataSet[] {
  return sets.filter((set) => PLAYED.has(set.kind));
}

/** What is wrong, by field. */
export function wrongOf(draft: Breeding, sets: readonly DataSet[]): Record<string, string> {
  const found: Record<string, string> = {};
  const chosen = bredOn(sets).filter((set) => draft.data.includes(set.id));
  if (!chosen.some((set) => set.kind === "candles")) found.data = "Choose a market with bars.";
  if (!isCount(draft.population, 8, 500)) found.population = "8 to 500.";
  if (!isCount(draft.generations, 1, 200)) found.generations = "1 to 200.";
  if (!isCount(draft.minTrades, 5, 100_000)) found.minTrades = "5 to 100000.";
  if (!isCount(draft.seed, 0, Number.MAX_SAFE_INTEGER)) found.seed = "A whole number from 0 on.";
  if (!found.population && !found.generations) {
    const most = Math.floor(GENOMES_MAX / Number(draft.population));
    if (Number(draft.generations) > most) {
      found.generations = `At most ${most}: ${GENOMES_MAX} genomes in all.`;
    }
  }
  return found;
}

/** What is asked of the engine. Call it once nothing is wrong. */
export function askedFor(draft: Breeding, sets: readonly DataSet[]): EvolveAsked {
  const chosen = bredOn(sets).filter((set) => draft.data.includes(set.id));
  return {
    symbols: symbolsOf(chosen),
    data: chosen.map((set) => set.id),
    population: Number(draft.population),
    generations: Number(draft.generations),
    min_trades: Number(draft.minTrades),
    seed: Number(draft.seed),
    title: draft.title.trim(),
  } as EvolveAsked;
}

interface Part {
  sharpe: number | null;
}

export interface Champion {
  genome: string;
  promoted: boolean;
  deflated_sharpe: number | null;
  bred: Part;
  judged: Part;
  held_back: Part | null;
  gates: { name: string; passed: boolean }[];
  lineage: unknown[];
}

/** What became of a champion, in words. */
export function outcomeOf(champion: Champion): string {
  if (champion.promoted) return "promoted";
  const failed = champion.gates.find((gate) => !gate.passed);
  return failed === undefined ? "not promoted" : `fails: ${failed.name}`;
}

function isCount(text: string, least: number, most: number): boolean {
  return /^\d+$/.test(text) && Number(text) >= least && Number(text) <= most;
}
