"""Pictures of a run, as matplotlib Display objects."""

from unetdyn.report.history import HistoryDisplay

__all__ = ["HistoryDisplay"]
