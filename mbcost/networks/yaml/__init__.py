"""YAML configs: networks and sets of blocks, where they are found and what is valid in them.

``document`` is the door to yaml and knows the line of every key; ``check`` reads a value by its
rule and ``schema`` writes the rule down for editors; ``specs`` turns a document into a ``Network``
or blocks; ``catalog`` finds the built-in ones.
"""

from mbcost.networks.yaml.catalog import Entry, builtin, builtins, find_builtin
from mbcost.networks.yaml.specs import load_specs

__all__ = ["Entry", "builtin", "builtins", "find_builtin", "load_specs"]
