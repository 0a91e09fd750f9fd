// SPDX-License-Identifier: Apache-2.0
// How numbers, times, files, keys and orders are read and written.
import { describe, expect, it } from "vitest";
import { matching } from "../src/app/commands";
import { deedOf } from "../src/app/keys";
import { pathOf } from "../src/app/route";
import { csv, csvCell } from "../src/format/csv";
import * as numbers from "../src/format/numbers";
import { clock, clockMs, span } from "../src/format/times";
import { sorted } from "../src/parts/Table";
import { takePairingCode } from "../src/session/session";
import { askedOf, problems } from "../src/ticket/draft";

describe("numbers", () => {
  it.each([
    [numbers.money("10000"), "10,000.00"],
    [numbers.money("-0.001"), "0.00"],
    [numbers.signedMoney("12.5"), "+12.50"],
    [numbers.signedMoney("-1234.567"), "−1,234.57"],
    [numbers.signedMoney("0.001"), "0.00"],
    [numbers.quantity("0.0150"), "0.015"],
    [numbers.price(60_000.1, 2), "60,000.10"],
    [numbers.percent(0.01234), "1.23 %"],
    [numbers.money("nonsense"), "–"],
    [numbers.money(null), "–"],
    [numbers.money(Number.NaN), "–"],
  ])("%s is %s", (made, wanted) => expect(made).toBe(wanted));

  it("have the digits of the finest price that was seen", () => {
    const digits = new numbers.PriceDigits();
    digits.see("BTCUSDT", 60_000);
    digits.see("BTCUSDT", 60_000.1);
    digits.see("BTCUSDT", 60_001);
    expect(digits.of("BTCUSDT")).toBe(1);
  });
});

describe("times", () => {
  it("are UTC, from nanoseconds too", () => {
    expect(clock("2026-11-29T17:27:25.502233182Z")).toBe("17:27:25");
    expect(clockMs("2026-11-29T17:27:25.502233182Z")).toBe("17:27:25.502");
    expect([span(12), span(312), span(7_500), span(90_000)]).toEqual([
      "12 s",
      "5 min 12 s",
      "2 h 05 min",
      "1 d 1 h",
    ]); // prettier-ignore
  });
});

describe("files", () => {
  it.each([
    ["=1+1", "'=1+1"],
    ["+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"],
    ["-2+3", "'-2+3"],
    ["@SUM(A1)", "'@SUM(A1)"],
    ["\t=1", "'\t=1"],
    ["\n=1", '"\'\n=1"'],
    ["＝1+1", "'＝1+1"],
    ["-12.5", "-12.5"],
    ["+1e5", "+1e5"],
    ['say "no", twice', '"say ""no"", twice"'],
    ["two\nlines", '"two\nlines"'],
    [null, ""],
  ])("escape %j as %j", (value, wanted) => expect(csvCell(value)).toBe(wanted));

  it("have a head and end each line as the standard says", () => {
    expect(csv(["a", "b"], [[1, "x,y"]])).toBe('a,b\r\n1,"x,y"\r\n');
  });
});

describe("keys", () => {
  const press = (key: string, more = {}) => ({
    key,
    ctrlKey: false,
    metaKey: false,
    shiftKey: false,
    altKey: false,
    ...more,
  }); // prettier-ignore

  it("open the kill switch from anywhere, and stay quiet while somebody types", () => {
    expect(deedOf(press("Escape", { shiftKey: true }), true, false)).toEqual({ does: "kill" });
    expect(deedOf(press("k", { ctrlKey: true }), true, false)).toEqual({ does: "palette" });
    expect(deedOf(press("n"), true, false)).toBeNull();
    expect(deedOf(press("n"), false, false)).toEqual({ does: "ticket" });
    expect(deedOf(press("g"), false, false)).toEqual({ does: "wait" });
    expect(deedOf(press("o"), false, true)).toEqual({ does: "go", path: "orders" });
    expect(deedOf(press("n", { ctrlKey: true }), false, false)).toBeNull();
  });

  it("find commands by words in any order", () => {
    const all = ["Go to Orders", "New order"].map((name) => ({ name, run: () => {} }));
    expect(matching(all, "ord go").map((each) => each.name)).toEqual(["Go to Orders"]);
    expect(matching(all, "")).toHaveLength(2);
  });

  it("know the screens by their fragment", () => {
    expect([pathOf("#/orders"), pathOf("#/nowhere"), pathOf("")]).toEqual(["orders", "", ""]);
  });
});

describe("a pairing code", () => {
  it("is taken out of the address", () => {
    const seen: unknown[] = [];
    const history = { replaceState: (...given: unknown[]) => seen.push(given[2]) };
    const at = (hash: string) => ({ hash, pathname: "/", search: "" }) as Location;
    expect(takePairingCode(at("#pair=ab-C_9"), history as never)).toBe("ab-C_9");
    expect(takePairingCode(at("#/orders"), history as never)).toBeNull();
    expect(seen).toEqual(["/"]);
  });
});

describe("a table", () => {
  it("is sorted both ways, with what is not known at the end", () => {
    const columns = [{ key: "n", label: "n", value: (row: number | null) => row }];
    const rows = [2, null, 3, 1];
    expect(sorted(rows, columns, { key: "n", isDown: true })).toEqual([3, 2, 1, null]);
    expect(sorted(rows, columns, { key: "n", isDown: false })).toEqual([1, 2, 3, null]);
    expect(sorted(rows, columns, null)).toBe(rows);
  });
});

describe("an order before it is sent", () => {
  const draft = {
    side: "BUY",
    type: "LIMIT",
    qty: "3",
    price: "9",
    reduceOnly: false,
    force: "IOC",
  } as const;

  it("is asked about as it will be sent", () => {
    expect(askedOf(draft, "X")).toMatchObject({ price: "9", time_in_force: "IOC", qty: "3" });
    const market = askedOf({ ...draft, type: "MARKET" }, "X");
    expect(market).toMatchObject({ price: null, time_in_force: "GTC" });
    expect(askedOf(draft, null)).toBeNull();
    expect(askedOf({ ...draft, price: "" }, "X")).toBeNull();
  });

  it.each(["", "0", "-1", "1e3", "NaN", "1,5", "0x10"])("is not sent with quantity %j", (qty) => {
    expect(problems({ ...draft, qty })).toHaveLength(1);
  });
});
