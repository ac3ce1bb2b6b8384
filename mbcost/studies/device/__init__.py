"""What a machine makes of a network: measured latency."""
