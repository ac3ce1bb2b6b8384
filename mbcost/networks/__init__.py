"""The row language: settings, rows, blocks, graph; its YAML, its rules, its schema."""
