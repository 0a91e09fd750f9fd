// SPDX-License-Identifier: Apache-2.0
// The page: who is there, what they look at, and what lies over it.
import { type ReactNode, useEffect } from "react";
import { KillDialog } from "../kill/KillDialog";
import { Alerts } from "../pages/Alerts";
import { Backtests } from "../pages/Backtests";
import { Dashboard } from "../pages/Dashboard";
import { Evolution } from "../pages/Evolution";
import { Jobs } from "../pages/Jobs";
import { Logs } from "../pages/Logs";
import { Market } from "../pages/Market";
import { Orders } from "../pages/Orders";
import { Positions } from "../pages/Positions";
import { Reconcile } from "../pages/Reconcile";
import { Risk } from "../pages/Risk";
import { Settings } from "../pages/Settings";
import { Strategies } from "../pages/Strategies";
import { WhyDrawer } from "../parts/WhyDrawer";
import { LogIn } from "../session/LogIn";
import { whoAmI } from "../session/logIn";
import { begin, end, useSession } from "../session/session";
import { connect, disconnect } from "../stream/live";
import { CloseDialog } from "../ticket/CloseDialog";
import { TicketDrawer } from "../ticket/TicketDrawer";
import { Tour } from "../tour/Tour";
import { Boundary } from "./Boundary";
import { Frame } from "./Frame";
import { HelpDialog } from "./HelpDialog";
import { useKeys } from "./keys";
import { Palette } from "./Palette";
import { type Path, usePath } from "./route";
import { Toasts } from "./Toasts";
import { useView } from "./view";

const SCREENS: Record<Path, () => ReactNode> = {
  "": Dashboard,
  market: Market,
  orders: Orders,
  positions: Positions,
  strategies: Strategies,
  risk: Risk,
  backtests: Backtests,
  evolution: Evolution,
  jobs: Jobs,
  reconcile: Reconcile,
  alerts: Alerts,
  logs: Logs,
  settings: Settings,
};

export function App() {
  const token = useSession((session) => session.token);
  return (
    <>
      {token === null ? <LogIn /> : <Inside token={token} />}
      <Toasts />
    </>
  );
}

function Inside({ token }: { token: string }) {
  const path = usePath();
  const Screen = SCREENS[path];
  useKeys();
  useEffect(() => {
    connect(token, end);
    // A token of an earlier visit of this tab: whose it is, and whether it still counts.
    whoAmI(token).then(
      (who) => begin(token, who.name, who.role),
      () => {}, // an end of the session is told by whoever meets it
    );
    return disconnect;
  }, [token]);
  return (
    <>
      <Frame>
        <Boundary key={path}>
          <Screen />
        </Boundary>
      </Frame>
      <Over />
      <Tour />
    </>
  );
}

function Over() {
  const what = useView((view) => view.open);
  switch (what?.kind) {
    case "kill":
      return <KillDialog />;
    case "palette":
      return <Palette />;
    case "help":
      return <HelpDialog />;
    case "ticket":
      return <TicketDrawer />;
    case "close":
      return <CloseDialog symbol={what.symbol} />;
    case "why":
      return <WhyDrawer orderId={what.orderId} />;
    default:
      return null;
  }
}
