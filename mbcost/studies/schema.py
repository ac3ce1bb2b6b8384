"""The JSON schema of every YAML file that mbcost reads, from the rules that check them."""

from __future__ import annotations

from mbcost.networks.rules import Keys
from mbcost.networks.yaml.schema import Schema, schema
from mbcost.networks.yaml.specs import BLOCK_SET, NETWORK
from mbcost.studies.device.profile import DEVICE
from mbcost.studies.guard.budget_file import BUDGET_FILE
from mbcost.studies.spaces.space_file import SPACE


def json_schema(*further: Keys) -> Schema:
    """Return the schema of each kind of file: a network, blocks, budgets, a space, a device, and
    of those kinds that the caller reads.

    A network is a space without choices: both may fit.
    """
    files = (NETWORK, BLOCK_SET, BUDGET_FILE, SPACE, DEVICE, *further)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mbcost config: a network, a set of blocks, budgets, a design space, a device, or "
        "the tables of a paper",
        "anyOf": [{"description": file.doc, **schema(file)} for file in files],
    }
