// SPDX-License-Identifier: Apache-2.0
// Numbers as a person reads them. The API sends money and quantities as exact decimal text; they
// become floats here, for the eye alone, and never on the way back. What is not known is a dash,
// so no screen shows NaN.

export const UNKNOWN = "–";
const MINUS = "−";

type Numeric = string | number | null | undefined;

/** A number, `null` for what is none. */
export function numberOf(value: Numeric): number | null {
  if (value === null || value === undefined || value === "") return null;
  const found = Number(value);
  return Number.isFinite(found) ? found : null;
}

const formats = new Map<string, Intl.NumberFormat>();

function grouped(value: number, least: number, most: number): string {
  const key = `${least}/${most}`;
  let format = formats.get(key);
  if (format === undefined) {
    const options = { minimumFractionDigits: least, maximumFractionDigits: most };
    format = new Intl.NumberFormat("en-GB", options);
    formats.set(key, format);
  }
  const text = format.format(Math.abs(value));
  const isZero = !/[1-9]/.test(text);
  return value < 0 && !isZero ? MINUS + text : text;
}

/** Money of the account's currency, two digits. */
export function money(value: Numeric): string {
  const found = numberOf(value);
  return found === null ? UNKNOWN : grouped(found, 2, 2);
}

/** Money with its sign, for gains and losses. */
export function signedMoney(value: Numeric): string {
  const found = numberOf(value);
  if (found === null) return UNKNOWN;
  const text = grouped(found, 2, 2);
  return found > 0 && /[1-9]/.test(text) ? `+${text}` : text;
}

/** A quantity as exact as it came, without zeros at its end. */
export function quantity(value: Numeric): string {
  const found = numberOf(value);
  return found === null ? UNKNOWN : grouped(found, 0, 12);
}

/** A price with `digits` after the point. */
export function price(value: Numeric, digits: number): string {
  const found = numberOf(value);
  return found === null ? UNKNOWN : grouped(found, digits, digits);
}

/** A ratio, 0.0123, as 1.23 %. */
export function percent(fraction: Numeric, digits = 2): string {
  const found = numberOf(fraction);
  return found === null ? UNKNOWN : `${grouped(found * 100, digits, digits)} %`;
}

/** A multiple, such as leverage. */
export function times(value: Numeric): string {
  const found = numberOf(value);
  return found === null ? UNKNOWN : `${grouped(found, 2, 2)}×`;
}

/** -1, 0 or 1, as the eye will see it: what is shown as 0.00 has no direction. */
export function direction(value: Numeric): -1 | 0 | 1 {
  const found = numberOf(value) ?? 0;
  if (Math.abs(found) < 0.005) return 0;
  return found > 0 ? 1 : -1;
}

/** How many digits after the point a number is written with, at most eight. */
export function decimals(value: Numeric): number {
  const found = numberOf(value);
  if (found === null) return 0;
  const text = String(found);
  const point = text.indexOf(".");
  return point < 0 ? 0 : Math.min(8, text.length - point - 1);
}

/** The digits of a symbol's prices: the most that were seen, since 60000 and 60000.1 are one grid. */
export class PriceDigits {
  private readonly seen = new Map<string, number>();

  /** Look at a price of the book or of a trade. */
  see(symbol: string, value: Numeric): void {
    const digits = decimals(value);
    if (digits > (this.seen.get(symbol) ?? -1)) this.seen.set(symbol, digits);
  }

  /** Digits after the point; two for a symbol that was not seen yet. */
  of(symbol: string): number {
    return this.seen.get(symbol) ?? 2;
  }
}
