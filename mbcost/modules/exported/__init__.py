"""Networks as files of other runtimes, and what those runtimes say of them."""
