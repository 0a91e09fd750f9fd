// SPDX-License-Identifier: Apache-2.0
// What the page asks for, beside what the stream tells. Each question has one place, so that each
// answer is kept once.
import { QueryClient, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { notify } from "../app/notices";
import { api, freshKey, Refusal, told, wordsOf } from "./client";
import type { KillAsked, OrderAsked, ResolveAsked } from "./documents";

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (count, error) => count < 2 && !(error instanceof Refusal && error.status < 500),
      staleTime: 1_000,
      refetchOnWindowFocus: false,
    },
  },
});

const symbolPath = (symbol: string) => ({ params: { path: { symbol } } });

/** The book of a symbol, as of half a second ago at most. */
export function useLadder(symbol: string | null) {
  return useQuery({
    queryKey: ["book", symbol],
    enabled: symbol !== null,
    refetchInterval: 500,
    queryFn: () => told(api.GET("/market/{symbol}/book", symbolPath(symbol ?? ""))),
  });
}

/** The newest trades of the market. */
export function useTrades(symbol: string | null) {
  return useQuery({
    queryKey: ["trades", symbol],
    enabled: symbol !== null,
    refetchInterval: 500,
    queryFn: () => told(api.GET("/market/{symbol}/trades", symbolPath(symbol ?? ""))),
  });
}

/** Lengths of bars that the engine has. */
export const LENGTHS_S = [5, 30, 60, 300, 900] as const;
export type Length = (typeof LENGTHS_S)[number];

/** Bars of a symbol; between two questions the chart grows them by the stream's prices. */
export function useBars(symbol: string, seconds: Length) {
  return useQuery({
    queryKey: ["bars", symbol, seconds],
    refetchInterval: 5_000,
    queryFn: () => {
      const params = { path: { symbol }, query: { seconds: `${seconds}` as const } };
      return told(api.GET("/market/{symbol}/bars", { params }));
    },
  });
}

/** Indicators over those bars, computed by the engine. */
export function useIndicators(symbol: string, seconds: Length, shown: readonly string[]) {
  const show = shown.join(",");
  return useQuery({
    queryKey: ["indicators", symbol, seconds, show],
    enabled: show !== "",
    refetchInterval: 2_000,
    placeholderData: (before) => (before?.symbol === symbol ? before : undefined),
    queryFn: () => {
      const params = { path: { symbol }, query: { seconds: `${seconds}` as const, show } };
      return told(api.GET("/market/{symbol}/indicators", { params }));
    },
  });
}

/** Orders of the session, more of them than the stream keeps. */
export function useOrders() {
  return useQuery({
    queryKey: ["orders"],
    queryFn: () => told(api.GET("/orders", { params: { query: { limit: 1_000 } } })),
  });
}

/** How an order came to be. */
export function useWhy(orderId: string | null) {
  const path = { client_order_id: orderId ?? "" };
  return useQuery({
    queryKey: ["why", orderId],
    enabled: orderId !== null,
    refetchInterval: 2_000,
    queryFn: () => told(api.GET("/orders/{client_order_id}/why", { params: { path } })),
  });
}

/** The parts of the engine. */
export function useHealth() {
  return useQuery({
    queryKey: ["health"],
    refetchInterval: 3_000,
    queryFn: () => told(api.GET("/health")),
  });
}

/** What people were called for. *isMissed*: what did not reach them all, alone. */
export function useAlerts(isMissed: boolean, isEnabled: boolean) {
  return useQuery({
    queryKey: ["alerts", isMissed],
    enabled: isEnabled,
    refetchInterval: 5_000,
    queryFn: () => {
      const query = { limit: 500, missed: isMissed ? ("true" as const) : ("false" as const) };
      return told(api.GET("/alerts", { params: { query } }));
    },
  });
}

/** Every setting, masked. */
export function useSettings() {
  return useQuery({ queryKey: ["settings"], queryFn: () => told(api.GET("/settings")) });
}

/** The latch; asked again and again while it holds, since a release may come from elsewhere. */
export function useKillSwitch(isHalted: boolean) {
  return useQuery({
    queryKey: ["killswitch"],
    refetchInterval: isHalted ? 2_000 : 10_000,
    queryFn: () => told(api.GET("/killswitch")),
  });
}

/** Stop. A plain request, so it works while the stream is down. */
export function useTrigger() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: KillAsked) => told(api.POST("/killswitch/trigger", { body })),
    onSuccess: (latch) => client.setQueryData(["killswitch"], latch),
  });
}

/** Go on, if nothing stands against it. */
export function useRelease() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { phrase: string; reason: string }) =>
      told(api.POST("/killswitch/release", { body })),
    onSuccess: (latch) => client.setQueryData(["killswitch"], latch),
  });
}

/** What such an order would be judged like now; `null`: none is asked about. */
export function usePreview(body: OrderAsked | null) {
  return useQuery({
    queryKey: ["preview", body],
    enabled: body !== null,
    refetchInterval: 1_500,
    gcTime: 10_000,
    retry: false,
    queryFn: () => told(api.POST("/orders/preview", { body: body as OrderAsked })),
  });
}

/** Ask for an order. */
export function usePlace() {
  return useMutation({
    mutationFn: (body: OrderAsked) =>
      told(api.POST("/orders", { body, params: { header: { "Idempotency-Key": freshKey() } } })),
  });
}

/** Ask for the end of an order. */
export function useCancel() {
  return useMutation({
    mutationFn: (orderId: string) =>
      told(
        api.DELETE("/orders/{client_order_id}", { params: { path: { client_order_id: orderId } } }),
      ),
    onError: (error) => notify(`Not cancelled: ${wordsOf(error)}`, "bad"),
  });
}

/** Ask for the end of every open order. */
export function useCancelAll() {
  return useMutation({
    mutationFn: () => told(api.POST("/orders/cancel-all")),
    onSuccess: (orders) => notify(`Cancel asked for ${orders.length} orders.`, "good"),
    onError: (error) => notify(`Not cancelled: ${wordsOf(error)}`, "bad"),
  });
}

/** Switch a strategy on or off. */
export function useSwitch() {
  return useMutation({
    mutationFn: ({ id, on }: { id: string; on: boolean }) => {
      const params = { path: { strategy_id: id } };
      return told(
        on
          ? api.POST("/strategies/{strategy_id}/enable", { params })
          : api.POST("/strategies/{strategy_id}/disable", { params }),
      );
    },
    onError: (error) => notify(`Not switched: ${wordsOf(error)}`, "bad"),
  });
}

/** Start or stop the engine. */
export function useEngine() {
  return useMutation({
    mutationFn: (verb: "start" | "stop") =>
      told(verb === "start" ? api.POST("/engine/start") : api.POST("/engine/stop")),
    onError: (error) => notify(wordsOf(error), "bad"),
  });
}

/** What the live gate lacks, where there is one. */
export function useGate(isFollowed: boolean) {
  return useQuery({
    queryKey: ["gate"],
    enabled: isFollowed,
    refetchInterval: 2_000,
    queryFn: () => told(api.GET("/live")),
  });
}

/** Type the phrase of this boot. */
export function useConfirm() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (phrase: string) =>
      told(api.POST("/live/confirm", { body: { confirm_phrase: phrase } })),
    onSuccess: (gate) => client.setQueryData(["gate"], gate),
  });
}

/** Our books beside the venue's. */
export function useReconcile() {
  return useQuery({
    queryKey: ["reconcile"],
    refetchInterval: 3_000,
    queryFn: () => told(api.GET("/reconcile")),
  });
}

/** Say what became of an order in quarantine. */
export function useResolve() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: ResolveAsked) => told(api.POST("/reconcile/resolve", { body })),
    onSuccess: () => client.invalidateQueries({ queryKey: ["reconcile"] }),
  });
}

/** Put hard limits in force. */
export function useLimits() {
  return useMutation({
    mutationFn: (body: { limits: Record<string, string | null>; reason: string }) =>
      told(api.PATCH("/risk/limits", { body })),
  });
}
