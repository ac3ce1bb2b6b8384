"""The closed set of primitive layers: shapes, wiring, folding, live ranges."""
