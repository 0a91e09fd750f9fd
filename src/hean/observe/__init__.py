# SPDX-License-Identifier: Apache-2.0
"""What a running engine tells machines that watch it."""
