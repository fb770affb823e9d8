"""Pictures of a run, as matplotlib Display objects."""
