"""What `benchmarks/reproduction.py` trains, and what it makes of it."""
