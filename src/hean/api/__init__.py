# SPDX-License-Identifier: Apache-2.0
"""HTTP and WebSocket: what a person or a page may ask of a running engine, and who may ask it."""
