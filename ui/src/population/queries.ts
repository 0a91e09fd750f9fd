// SPDX-License-Identifier: Apache-2.0
// The agents that live on this engine, and what a person decides about them.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, told } from "../api/client";

/** All of them. A bar is the shortest time in which anything changes. */
export function usePopulation() {
  return useQuery({
    queryKey: ["population"],
    refetchInterval: 5_000,
    queryFn: () => told(api.GET("/population")),
  });
}

export type Way = "PAPER" | "LIVE_MIN" | "LIVE" | "SHADOW" | "RETIRED";

/** Move an agent: up, where evidence allows it, or down. */
export function useMove() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, to, reason }: { id: string; to: Way; reason: string }) => {
      const params = { path: { agent_id: id } };
      return told(
        to === "SHADOW" || to === "RETIRED"
          ? api.POST("/population/{agent_id}/retire", { params, body: { to, reason } })
          : api.POST("/population/{agent_id}/promote", { params, body: { to, reason } }),
      );
    },
    onSettled: () => client.invalidateQueries({ queryKey: ["population"] }),
  });
}
