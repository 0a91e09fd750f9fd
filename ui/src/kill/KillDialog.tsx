// SPDX-License-Identifier: Apache-2.0
// The dialog behind the red button: trip it, or, once it holds, let go on. It asks by plain
// requests, so it works while the stream is down, and it never closes by itself: who pressed it
// wants to see what came of it.
import Dialog from "@mui/material/Dialog";
import { useKillSwitch } from "../api/queries";
import { open } from "../app/view";
import { Loading } from "../parts/Panel";
import { useLive } from "../stream/live";
import { Release } from "./Release";
import { Trigger } from "./Trigger";

export function KillDialog() {
  const level = useLive((live) => live.risk?.level ?? "RUN");
  const latch = useKillSwitch(level !== "RUN");
  return (
    <Dialog
      open
      onClose={() => open(null)}
      aria-labelledby="kill-title"
      slotProps={{ paper: { sx: { width: 520, maxWidth: "calc(100vw - 24px)", m: 1.5 } } }}
    >
      {latch.data?.latched && <Release latch={latch.data} />}
      {latch.data && !latch.data.latched && <Trigger />}
      {latch.isPending && <Loading />}
      {latch.isError && !latch.data && <Trigger />}
    </Dialog>
  );
}
