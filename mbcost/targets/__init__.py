"""What a user names: a built-in, a YAML, ``v2@alpha=0.5``, or a model from elsewhere."""
