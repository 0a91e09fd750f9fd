# SPDX-License-Identifier: Apache-2.0
"""Where market facts come from: recorded files, captures, and generated markets."""
