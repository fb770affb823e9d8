"""Logged names as a person says them."""


def readable(logged: str) -> str:
    """A logged name in words.

    >>> readable("val_jaccard"), readable("loss")
    ('validation Jaccard', 'loss')
    """
    words = logged.replace("val_", "validation ", 1) if logged.startswith("val_") else logged
    return words.replace("_", " ").replace("jaccard", "Jaccard")
