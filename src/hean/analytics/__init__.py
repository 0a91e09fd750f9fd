# SPDX-License-Identifier: Apache-2.0
"""What a journal says about money and time, as tables, and questions to them."""
