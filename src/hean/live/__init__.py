# SPDX-License-Identifier: Apache-2.0
"""Trading with money: one account, one journal, one process."""
