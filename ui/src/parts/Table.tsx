// SPDX-License-Identifier: Apache-2.0
// A dense table: sorted by a press on its head, walked with the arrow keys, and drawn only as far
// as it is seen, so ten thousand rows cost what thirty do.
import { type KeyboardEvent, type ReactNode, useMemo, useRef, useState } from "react";
import { useIsNarrow } from "../app/narrow";

export interface Column<Row> {
  key: string;
  label: string;
  /** What it is sorted by, and what goes into a file. */
  value: (row: Row) => string | number | null;
  cell?: (row: Row) => ReactNode;
  isNumber?: boolean;
  isWideOnly?: boolean;
  /** On a phone alone, in the place of some that are wide. */
  isNarrowOnly?: boolean;
  /** Words that take more lines on a phone, where nobody wants to scroll sideways to read them. */
  wraps?: boolean;
}

interface TableProps<Row> {
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  empty: ReactNode;
  onOpen?: (row: Row) => void;
  height?: number | string;
}

export interface Sorting {
  key: string;
  isDown: boolean;
}

const ROW_PX = 28;
const AROUND = 12; // rows drawn above and below what is seen

/** Rows in another order; what has no value comes last, either way. */
export function sorted<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  sorting: Sorting | null,
): readonly Row[] {
  const column = columns.find((each) => each.key === sorting?.key);
  if (column === undefined || sorting === null) return rows;
  const way = sorting.isDown ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [left, right] = [column.value(a), column.value(b)];
    if (left === right) return 0;
    if (left === null) return 1;
    if (right === null) return -1;
    return (left < right ? -1 : 1) * way;
  });
}

export function Table<Row>(props: TableProps<Row>) {
  const { label, rows, rowKey, onOpen } = props;
  const isNarrow = useIsNarrow();
  const columns = useMemo(
    () => props.columns.filter((each) => !(isNarrow ? each.isWideOnly : each.isNarrowOnly)),
    [props.columns, isNarrow],
  );
  const [sorting, setSorting] = useState<Sorting | null>(null);
  const [top, setTop] = useState(0);
  const frame = useRef<HTMLDivElement>(null);
  const ordered = useMemo(() => sorted(rows, columns, sorting), [rows, columns, sorting]);
  if (rows.length === 0) return <>{props.empty}</>;
  // Rows of several lines have no known height, so all of them are drawn.
  const isWhole = isNarrow && columns.some((each) => each.wraps);
  const seen = isWhole ? ordered.length : Math.ceil((frame.current?.clientHeight ?? 600) / ROW_PX);
  const first = Math.max(0, Math.min(Math.floor(top / ROW_PX) - AROUND, ordered.length - seen));
  const drawn = ordered.slice(first, first + seen + 2 * AROUND);
  const below = ordered.length - first - drawn.length;
  return (
    <div
      className="grid"
      ref={frame}
      style={{ height: props.height }}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
    >
      <table aria-label={label} aria-rowcount={ordered.length + 1}>
        <thead>
          <tr>
            {columns.map((column) => (
              <Head key={column.key} column={column} sorting={sorting} onSort={setSorting} />
            ))}
          </tr>
        </thead>
        <tbody onKeyDown={walk}>
          {first > 0 && <Gap rows={first} span={columns.length} />}
          {drawn.map((row, number) => (
            <tr
              key={rowKey(row)}
              aria-rowindex={first + number + 2}
              data-opens={onOpen ? "" : undefined}
              tabIndex={onOpen ? (number === 0 ? 0 : -1) : undefined}
              onClick={onOpen && (() => onOpen(row))}
              onKeyDown={onOpen && ((event) => opens(event) && onOpen(row))}
            >
              {columns.map((column) => (
                <td key={column.key} className={classOf(column)}>
                  {column.cell ? column.cell(row) : column.value(row)}
                </td>
              ))}
            </tr>
          ))}
          {below > 0 && <Gap rows={below} span={columns.length} />}
        </tbody>
      </table>
    </div>
  );
}

interface HeadProps<Row> {
  column: Column<Row>;
  sorting: Sorting | null;
  onSort: (sorting: Sorting | null) => void;
}

function Head<Row>({ column, sorting, onSort }: HeadProps<Row>) {
  const isSorted = sorting?.key === column.key;
  const order = isSorted ? (sorting.isDown ? "descending" : "ascending") : "none";
  if (column.label === "") {
    return (
      <th className={classOf(column)}>
        <span className="sr">Actions</span>
      </th>
    );
  }
  return (
    <th className={classOf(column)} aria-sort={order} scope="col">
      <button type="button" onClick={() => onSort(next(column.key, sorting))}>
        {column.label}
        {isSorted && <span aria-hidden="true">{sorting.isDown ? " ↓" : " ↑"}</span>}
      </button>
    </th>
  );
}

function Gap({ rows, span }: { rows: number; span: number }) {
  return (
    <tr className="gap">
      <td colSpan={span} style={{ height: rows * ROW_PX }} />
    </tr>
  );
}

/** Down, up, as it came. */
function next(key: string, now: Sorting | null): Sorting | null {
  if (now?.key !== key) return { key, isDown: true };
  return now.isDown ? { key, isDown: false } : null;
}

function classOf<Row>(column: Column<Row>): string {
  return [column.isNumber && "num", column.label === "" && "act", column.wraps && "wraps"]
    .filter(Boolean)
    .join(" ");
}

function opens(event: KeyboardEvent): boolean {
  return event.key === "Enter" && event.target === event.currentTarget;
}

function walk(event: KeyboardEvent): void {
  const row = (event.target as HTMLElement).closest("tr");
  const to = { ArrowDown: row?.nextElementSibling, ArrowUp: row?.previousElementSibling }[
    event.key as "ArrowDown"
  ];
  if (to instanceof HTMLElement && !to.classList.contains("gap")) {
    event.preventDefault();
    to.focus();
  }
}
