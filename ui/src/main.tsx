// SPDX-License-Identifier: Apache-2.0
// The page begins. Styles that the kit writes at run time carry the nonce of this answer; the
// page's policy lets no others stand.
import "@fontsource-variable/inter/wght.css";
import "./app/page.css";
import createCache from "@emotion/cache";
import { CacheProvider } from "@emotion/react";
import { ThemeProvider } from "@mui/material/styles";
import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode, useMemo } from "react";
import { createRoot } from "react-dom/client";
import { queries } from "./api/queries";
import { App } from "./app/App";
import { themeOf, useScheme } from "./app/theme";
import { paint } from "./app/tokens";

const nonce = document.querySelector<HTMLMetaElement>("meta[name=style-nonce]")?.content;
const styles = createCache({ key: "h", nonce, prepend: true });

function Page() {
  const scheme = useScheme((state) => state.scheme);
  const theme = useMemo(() => themeOf(scheme), [scheme]);
  return (
    <CacheProvider value={styles}>
      <ThemeProvider theme={theme}>
        <QueryClientProvider client={queries}>
          <App />
        </QueryClientProvider>
      </ThemeProvider>
    </CacheProvider>
  );
}

paint(useScheme.getState().scheme);
const root = document.getElementById("root");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <Page />
    </StrictMode>,
  );
}
