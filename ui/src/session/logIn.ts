// SPDX-License-Identifier: Apache-2.0
// Into the page: by a token, or by the code of a link, which is exchanged for one.
import { api, told } from "../api/client";
import { begin } from "./session";

/** Who a token belongs to. *Throws*: `Refusal`. */
export function whoAmI(token: string) {
  return told(api.GET("/whoami", { headers: { Authorization: `Bearer ${token}` } }));
}

/** Begin a session with a token. *Throws*: `Refusal`. */
export async function logIn(token: string): Promise<void> {
  const who = await whoAmI(token);
  begin(token, who.name, who.role);
}

/** Begin a session with the code of a link; it counts once. *Throws*: `Refusal`. */
export async function pair(code: string): Promise<void> {
  const { token } = await told(api.POST("/pair", { body: { code } }));
  await logIn(token);
}
