# SPDX-License-Identifier: Apache-2.0
"""Looking over machine and account before money is at stake."""
