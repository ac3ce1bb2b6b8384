"""What a target of mbcost's own names: a network or a single block."""

from __future__ import annotations

from mbcost.cost import CostReport, cost_of
from mbcost.networks.network import Network
from mbcost.networks.settings import Settings
from mbcost.networks.single_block import SingleBlock

Spec = Network | SingleBlock
"""What a target names: something with settings that lowers to a graph."""


def report(spec: Spec, settings: Settings) -> CostReport:
    """Return the closed-form costs of a spec under parsed settings."""
    return cost_of(spec.graph(settings), spec.name, settings.get("batch", 1))
