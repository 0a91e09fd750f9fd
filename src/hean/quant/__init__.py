# SPDX-License-Identifier: Apache-2.0
"""Mathematics of markets as pure functions: numbers in, numbers out. What runs per event lives in
Rust (`hean._core`); here is what is asked now and then: fits, tests, allocations, schedules. It
knows no event, no order, no clock and no file; modules, evaluation and `hean quant verify` all call
the same function. Formulas and their sources: the docstrings.
"""
