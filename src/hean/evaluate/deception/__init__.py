# SPDX-License-Identifier: Apache-2.0
"""Does a strategy know what it cannot know? The checks play it with the production engine in worlds
that differ only in what has not happened yet, in markets without anything to know, later, dearer
and twice. Files that a strategy opens by itself are exchanged for those of the world it is in, so
that looking them up is caught as well.
"""
