// SPDX-License-Identifier: Apache-2.0
// The one way to the API. Paths, bodies and answers are typed by the OpenAPI document; every
// refusal becomes a `Refusal`, which says in words what was wrong and in which field.
import createClient from "openapi-fetch";
import { end, useSession } from "../session/session";
import type { Problem } from "./documents";
import type { paths } from "./schema";

/** A refusal, as the engine gave it, or a line that is dead (`status` 0). */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly errors: { field: string; detail: string }[] = [],
  ) {
    super(detail);
  }
}

export const api = createClient<paths>({
  baseUrl: new URL("./api", window.location.href).href.replace(/#.*$/, ""),
});

api.use({
  onRequest({ request }) {
    const { token } = useSession.getState();
    if (token !== null && !request.headers.has("authorization")) {
      request.headers.set("Authorization", `Bearer ${token}`);
    }
    request.headers.set("X-HEAN-Request", "1");
    return request;
  },
});

interface Answer<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

/** The document of an answer. *Throws*: `Refusal`. A token that does not count ends the session. */
export async function told<Data>(asked: Promise<Answer<Data>>): Promise<Data> {
  let answer: Answer<Data>;
  try {
    answer = await asked;
  } catch {
    throw new Refusal(0, "NoConnection", "The engine does not answer.");
  }
  if (answer.response.ok) return answer.data as Data;
  const problem = (answer.error ?? {}) as Partial<Problem>;
  const { status } = answer.response;
  if (status === 401 && useSession.getState().token !== null) end();
  throw new Refusal(
    status,
    problem.code ?? "Unknown",
    problem.detail ?? `The engine answered ${status}.`,
    problem.errors ?? [],
  );
}

/** A key by which the engine does a repeated wish once. Works without a secure context too. */
export function freshKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What went wrong, in words. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
