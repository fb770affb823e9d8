"""The page of many runs: what made the difference, how sure that is, and what to run next."""
