"""What a control between epochs can turn down: the learning rate, or a clip inside the compiled step."""

from typing import Any

from unetdyn.callbacks.adaptive_gradient_clipping import AdaptiveGradientClipping
from unetdyn.callbacks.running_average_clipping import RunningAverageClipping
from unetdyn.callbacks.settable_rate import check_rate_is_settable, rates_of, set_rates


class RateLever:
    """The learning rate of a model's optimizer.

    Args:
        least: What it is not lowered below.
    """

    name = "learning rate"

    def __init__(self, least: float) -> None:
        self.least = least

    def check(self, who: str, model: Any) -> None:
        """Refuse an optimizer whose rate can't be set."""
        check_rate_is_settable(who, model.optimizer)

    def values(self, model: Any) -> list[float]:
        """As they are now."""
        return rates_of(model.optimizer)

    def set(self, model: Any, values: list[float]) -> None:
        """Let the next step have these."""
        set_rates(model.optimizer, values)


Clip = AdaptiveGradientClipping | RunningAverageClipping
_CLIPPING, _ALPHA = ("clipping", "clipping", 1e-4), ("alpha", "α of RunningAverageClipping", 0.02)


class ClipLever:
    """The bound of a clip in the same `fit`: `clipping` of an `AdaptiveGradientClipping`, `alpha` of the other.

    `clipnorm`, `global_clipnorm` and `clipvalue` of an optimizer can't be turned: a compiled step has them as
    constants.

    Args:
        clip: Of which.
        least: What the bound is not lowered below; None for a hundredth of the argument's default.
    """

    def __init__(self, clip: Clip, least: float | None) -> None:
        self.clip = clip
        self._argument, self.name, usual = _ALPHA if isinstance(clip, RunningAverageClipping) else _CLIPPING
        self.least = usual if least is None else least

    def check(self, who: str, model: Any) -> None:
        """It can always be set."""

    def values(self, model: Any) -> list[float]:  # noqa: ARG002
        """As it is now."""
        return [getattr(self.clip, self._argument)]

    def set(self, model: Any, values: list[float]) -> None:  # noqa: ARG002
        """Let the next step have it."""
        setattr(self.clip, self._argument, values[0])
