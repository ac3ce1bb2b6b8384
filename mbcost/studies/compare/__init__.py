"""Side by side: records, the comparison, its table and its words."""
