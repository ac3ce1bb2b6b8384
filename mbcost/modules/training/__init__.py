"""Networks trained and tested: a plain torch loop, its recipes, its checkpoints.

``recipe`` says how, ``batches`` what each step sees, ``loop`` runs it, ``checkpoint`` keeps it.
All that is random is drawn from (seed, epoch, step) alone: a checkpoint needs no generator's state.
"""
