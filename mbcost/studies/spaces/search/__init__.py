"""The best configs of a space under limits."""
