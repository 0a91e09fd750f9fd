// SPDX-License-Identifier: Apache-2.0
// Notices in the corner.
import { dismiss, useNotices } from "./notices";

const COLOURS = { good: "var(--up)", bad: "var(--down)", plain: "var(--line)" };

export function Toasts() {
  const notices = useNotices((state) => state.notices);
  return (
    <div className="toasts" aria-live="polite">
      {notices.map((notice) => (
        <div key={notice.id} className="toast" style={{ borderLeftColor: COLOURS[notice.tone] }}>
          <span className="grow">{notice.text}</span>
          <button
            type="button"
            className="mini"
            aria-label="Dismiss"
            onClick={() => dismiss(notice.id)}
          >
            ×
          </button>
        </div>
      ))}
    </div>
  );
}
