"""The papers' printed figures beside ours, each with a verdict by rule: ``mbcost paper``.

``document`` reads ``configs/papers/NAME.yaml``, ``measures`` and ``architecture`` compute our side,
``cells`` puts the two together, ``witnesses`` and ``verdicts`` judge. To add a paper: one YAML; a
figure, a witness: one function and one line beside its siblings.
"""

from mbcost.studies.papers.document import load_paper, paper_names
from mbcost.studies.papers.table import check, paper_table

__all__ = ["check", "load_paper", "paper_names", "paper_table"]
