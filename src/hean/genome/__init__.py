# SPDX-License-Identifier: Apache-2.0
"""Trading rules that can be bred: `tree` is what they are made of, `text` how a person reads and
writes them, `words` how the Rust judge takes them. The same genome is judged natively by the
thousand and traded by `strategies.genome` in every other run.
"""
