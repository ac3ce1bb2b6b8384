"""What a machine makes of a network: lower bounds of devices, and measured roofs and latency."""
