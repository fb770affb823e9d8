"""What a run's configuration says of how it wants to be judged."""

from typing import Any

from unetdyn.analysis.stability_classes import DDOF, WINDOW, check_window


def stability_settings(config: dict[str, Any]) -> dict[str, Any]:
    """`window` and `ddof` as `unetdyn train` records them, or their defaults.

    A configuration of the user's own may have any shape: what is missing there or makes no standard deviation counts
    for nothing.

    >>> stability_settings({"callbacks": {"stability": {"window": "ten", "ddof": 0}}})
    {'window': 10, 'ddof': 0}
    """
    callbacks = config.get("callbacks")
    settings = callbacks.get("stability") if isinstance(callbacks, dict) else None
    settings = settings if isinstance(settings, dict) else {}
    window, ddof = settings.get("window"), settings.get("ddof")
    return {"window": window if _usable(window, DDOF) else WINDOW, "ddof": ddof if _usable(WINDOW, ddof) else DDOF}


def _usable(window: Any, ddof: Any) -> bool:
    try:
        check_window(window, ddof)
    except (TypeError, ValueError):
        return False
    return True
