"""Numbers for decisions: intervals, paired tests, corrections for many tests, sizes. Pure functions, no records."""
