# SPDX-License-Identifier: Apache-2.0
"""SYMBIONT X: a population of genomes that evolves on judged results. `breed` makes genomes of
genomes, `select` chooses by several objectives at once, `evolution` keeps the generations and their
checkpoints. None of them knows where results come from: a judge is given to them. `vitals` watches
each agent that trades, with `columns` for what it reads, and `immune` says what becomes of it.
"""
