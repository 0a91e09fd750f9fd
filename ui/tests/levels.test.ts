// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import type { Order, Position } from "../src/api/documents";
import { consequence } from "../src/kill/levels";

const order = (symbol: string, type: string, isReducing: boolean) =>
  ({ symbol, type, reduce_only: isReducing }) as Order;
const orders = [
  order("BTCUSDT", "LIMIT", false),
  order("BTCUSDT", "STOP", true), // keeps the position
  order("BTCUSDT", "LIMIT", true), // its target goes
  order("ETHUSDT", "STOP", true), // of a position that is no more
  order("BTCUSDT", "STOP", false), // opens one
];
const held = [{ symbol: "BTCUSDT" } as Position];

test("what protects a position is not counted among what goes", () => {
  expect(consequence("CANCEL_ALL", orders, held)).toBe(
    "4 open orders will be cancelled, 1 protective stop kept. 1 position stays open.",
  );
});

test("with nothing held, every order goes", () => {
  expect(consequence("CANCEL_ALL", orders, [])).toMatch(/^5 open orders will be cancelled\. /);
});

test("all of them stay where nothing is cancelled", () => {
  expect(consequence("HALT_NEW", orders, held)).toContain("5 open orders and 1 position stay");
});
