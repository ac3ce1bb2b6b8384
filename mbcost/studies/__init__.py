"""One question each: compare, explain, reconcile, guard, papers, spaces; answered with a Table."""
