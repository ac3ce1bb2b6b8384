"""Scripts that print what they measured, as ratios in one run: ``python -m tests.benchmarks.X``."""
