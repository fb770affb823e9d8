"""What a control between epochs can turn down: the learning rate, or a clip inside the compiled step."""

from typing import Any

from unetdyn.callbacks.adaptive_gradient_clipping import AdaptiveGradientClipping
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


class ClipLever:
    """The bound of an `AdaptiveGradientClipping` in the same `fit`.

    `clipnorm`, `global_clipnorm` and `clipvalue` of an optimizer can't be turned: a compiled step has them as
    constants.

    Args:
        clip: Of which.
        least: What its `clipping` is not lowered below.
    """

    name = "clipping"

    def __init__(self, clip: AdaptiveGradientClipping, least: float) -> None:
        self.clip, self.least = clip, least

    def check(self, who: str, model: Any) -> None:
        """It can always be set."""

    def values(self, model: Any) -> list[float]:  # noqa: ARG002
        """As it is now."""
        return [self.clip.clipping]

    def set(self, model: Any, values: list[float]) -> None:  # noqa: ARG002
        """Let the next step have it."""
        self.clip.clipping = values[0]
