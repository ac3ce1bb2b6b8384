"""Networks as ``nn.Module``s, really run: built, traced, counted."""
