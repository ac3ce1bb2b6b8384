"""Design spaces counted: ``mbcost sweep``.

``workers`` counts a plan's units in order with processes, ``resumable`` keeps what is done and goes
on where a run was interrupted, ``writers`` are its files, ``table`` shows what fits a screen.

This package is the door to numpy; import it inside functions.
"""
