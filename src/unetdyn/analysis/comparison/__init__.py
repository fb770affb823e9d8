"""Several runs: which is best, what made the difference, and how sure that is."""
