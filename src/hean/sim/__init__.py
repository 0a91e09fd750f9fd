# SPDX-License-Identifier: Apache-2.0
"""A world in one thread and virtual time, in which the engine as it trades is run against the twin
while everything goes wrong on purpose, and in which what it promises is checked after every step.
"""
