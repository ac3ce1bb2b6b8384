"""Design spaces counted as arrays: sweeps and searches."""
