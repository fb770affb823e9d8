"""What the threshold of a mask does to its scores."""
