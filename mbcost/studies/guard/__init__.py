"""Budgets, baselines and differences: what a check in CI asks."""
