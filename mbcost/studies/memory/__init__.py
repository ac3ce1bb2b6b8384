"""What a network needs of memory, to the byte: to run, to be deployed, to be trained.

``how`` is what can be chosen, ``figures`` reads the schedules of ``graph``, ``table`` shows them,
``steps`` shows what is alive at each step, ``verify`` really runs and compares.
"""
