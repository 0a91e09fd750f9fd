// SPDX-License-Identifier: Apache-2.0
// What the page asks for, beside what the stream tells. Each question has one place, so that each
// answer is kept once.
import { QueryClient, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { notify } from "../app/notices";
import { api, freshKey, Refusal, told, wordsOf } from "./client";
import type { KillAsked, OrderAsked } from "./documents";

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
export function useLadder(symbol: string | null, everyMs = 500) {
  return useQuery({
    queryKey: ["book", symbol],
    enabled: symbol !== null,
    refetchInterval: everyMs,
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

/** Bars of a symbol; between two questions the chart grows them by the stream's prices. */
export function useBars(symbol: string, seconds: "5" | "60") {
  return useQuery({
    queryKey: ["bars", symbol, seconds],
    refetchInterval: 5_000,
    queryFn: () => {
      const params = { path: { symbol }, query: { seconds } };
      return told(api.GET("/market/{symbol}/bars", { params }));
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

/** Put hard limits in force. */
export function useLimits() {
  return useMutation({
    mutationFn: (body: { limits: Record<string, string | null>; reason: string }) =>
      told(api.PATCH("/risk/limits", { body })),
  });
}
