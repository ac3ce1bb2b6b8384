"""Input that is wrong at random: what ``tests.fuzz`` feeds to mbcost.

``text`` changes what was right in a few places, ``documents`` makes YAML from the rules of blocks
and settings, which reaches deeper, ``commands`` makes command lines.
"""
