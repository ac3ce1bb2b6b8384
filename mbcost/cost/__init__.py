"""What a layer costs: a formula per primitive, and how each counter adds the terms up.

``formulas`` turns a layer into exact terms, ``convention`` weighs the terms the way a counter
does, ``report`` collects the layers of a network, ``weights`` says what they take when stored.
"""

from mbcost.cost.convention import CONVENTIONS, FLOPS_PER_MULT_ADD, PAPERS, Convention
from mbcost.cost.coverage import Coverage, UncountedWarning
from mbcost.cost.formulas import CONVOLUTIONS, KINDS, WITH_PARAMS, Terms, kind, terms
from mbcost.cost.report import LAYER_KEYS, CostReport, LayerCost, cost_of
from mbcost.cost.storage import DTYPES, PARAMS, DType, weight_bytes

__all__ = [
    "CONVENTIONS",
    "CONVOLUTIONS",
    "DTYPES",
    "FLOPS_PER_MULT_ADD",
    "KINDS",
    "LAYER_KEYS",
    "PAPERS",
    "PARAMS",
    "WITH_PARAMS",
    "Convention",
    "CostReport",
    "Coverage",
    "DType",
    "LayerCost",
    "Terms",
    "UncountedWarning",
    "cost_of",
    "kind",
    "terms",
    "weight_bytes",
]
