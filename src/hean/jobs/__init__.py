# SPDX-License-Identifier: Apache-2.0
"""Long work that a person asks for: it runs beside the engine, in a process of its own."""
