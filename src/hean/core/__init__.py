# SPDX-License-Identifier: Apache-2.0
"""The kernel: one queue, one writer, time and chance given from outside. It never waits.

Read `types`, `bus`, `clock`, `driver`, `module`, `ports`, in this order.
"""
