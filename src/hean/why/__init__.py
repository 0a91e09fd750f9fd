# SPDX-License-Identifier: Apache-2.0
"""Why an order was made, and why none was: both from a journal alone."""
