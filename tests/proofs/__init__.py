"""Proofs too long for every run; the suite runs a sample of the same code."""
