"""Design spaces counted: ``mbcost sweep``.

``arrays`` is the closed form over arrays of configs, ``units`` cuts a space into chunks that are
counted alone, ``run`` counts them in order with processes and goes on where a run was interrupted,
``writers`` streams them to files, ``grid`` shows them, ``verify`` builds and counts some of them.

This package is the door to numpy; import it inside functions.
"""
