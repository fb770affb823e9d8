"""What a user passes to `fit`: monitors measure and never change training."""
