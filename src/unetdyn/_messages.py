"""The sentences that several rooms' errors share."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(received: object, known: Iterable[str]) -> str:
    """A sentence with the nearest known name, or an empty string where none is near.

    >>> nearest("bach", ["batch", "group"])
    " Did you mean 'batch'?"
    """
    close = get_close_matches(str(received), list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def unknown_choice(argument: str, received: object, known: Iterable[object]) -> str:
    """The text of an error about an argument with a fixed set of values.

    >>> unknown_choice("norm", "bach", ["batch", "group", None])
    "`norm` must be one of 'batch', 'group', None. Received: norm='bach'. Did you mean 'batch'?"
    """
    known = list(known)
    listed = ", ".join(repr(choice) for choice in known)
    names = [choice for choice in known if isinstance(choice, str)]
    return f"`{argument}` must be one of {listed}. Received: {argument}={received!r}.{nearest(received, names)}"
