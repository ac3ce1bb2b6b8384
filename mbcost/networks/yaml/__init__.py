"""YAML configs: networks and sets of blocks, where they are found and what is valid in them.

``document`` is the door to yaml and knows the line of every key; ``specs`` turns a document into a
``Network`` or blocks; ``catalog`` finds the built-in ones; ``schema`` writes the rules down as JSON
Schema for editors.
"""

from mbcost.networks.yaml.catalog import Entry, builtin, builtins, find_builtin
from mbcost.networks.yaml.specs import load_specs

__all__ = ["Entry", "builtin", "builtins", "find_builtin", "load_specs"]
