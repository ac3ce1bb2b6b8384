"""The closed set of primitive layers: shapes, wiring, folding, live ranges.

``primitives`` are the layers, ``shapes`` what they put out, ``graph`` wires them, ``fold`` takes
batch-norms away, ``liveness`` tells what is alive when. To add a primitive: see
``primitives``.
"""
