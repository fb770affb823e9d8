"""What `controls.py` trains, and what it makes of it."""
