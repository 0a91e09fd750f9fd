# SPDX-License-Identifier: Apache-2.0
"""Market data sources: recorded files and venue sockets become facts here, at the rim."""
