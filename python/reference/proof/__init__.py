# SPDX-License-Identifier: Apache-2.0
"""A second verifier of the proof of a gradient, written from spec/proof.md: plain rather than fast."""
