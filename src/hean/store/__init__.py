# SPDX-License-Identifier: Apache-2.0
"""Tables made of journals, for people and their SQL; nothing trades by them (ADR 0032)."""
