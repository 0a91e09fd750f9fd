# SPDX-License-Identifier: Apache-2.0
"""Training, keeping and checking models. The libraries that train (`./hean setup ml`) are loaded
here, when they are asked for, and nowhere else: what trades needs the trained file only.
"""
