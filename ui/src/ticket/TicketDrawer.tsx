// SPDX-License-Identifier: Apache-2.0
// The ticket from the side, over whatever screen is shown.
import Drawer from "@mui/material/Drawer";
import { open } from "../app/view";
import { Ticket } from "./Ticket";

export function TicketDrawer() {
  return (
    <Drawer
      anchor="right"
      open
      onClose={() => open(null)}
      slotProps={{
        paper: {
          role: "dialog",
          "aria-labelledby": "ticket-title",
          sx: { width: 380, maxWidth: "100vw" },
        },
      }}
    >
      <div className="row" style={{ padding: "14px 12px 4px" }}>
        <h2 id="ticket-title" className="grow" style={{ fontSize: 15 }}>
          New order
        </h2>
        <button type="button" className="mini" onClick={() => open(null)}>
          Close
        </button>
      </div>
      <Ticket />
    </Drawer>
  );
}
