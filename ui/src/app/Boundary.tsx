// SPDX-License-Identifier: Apache-2.0
// A screen that breaks takes only itself along: the frame with the red button stays.
import { Component, type ReactNode } from "react";
import { Failed } from "../parts/Panel";

export class Boundary extends Component<{ children: ReactNode }, { error: unknown }> {
  override state: { error: unknown } = { error: null };

  static getDerivedStateFromError(error: unknown): { error: unknown } {
    return { error };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (error === null) return this.props.children;
    return <Failed error={error} again={() => this.setState({ error: null })} />;
  }
}
