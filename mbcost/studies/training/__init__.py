"""Networks trained and tested on a user's data: what was reached beside what it costs.

``train.train`` trains a subject into a folder, ``run.Run`` reads what one holds.
"""
