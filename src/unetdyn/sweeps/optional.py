"""Optuna, or in one sentence how it is brought here."""

try:
    import optuna
except ImportError as error:
    raise ImportError(f'Adaptive search needs Optuna: pip install "unetdyn[optuna]". ({error})') from error

__all__ = ["optuna"]
