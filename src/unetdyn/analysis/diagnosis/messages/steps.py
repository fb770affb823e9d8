"""What everything that looks at training steps tells where there are none to see."""

from unetdyn.analysis.diagnosis.finding import Finding


def no_steps_seen(who: str, epoch: int, optimizer: str) -> Finding:
    """No step went through the model's optimizer.

    Args:
        who: The class that looked.
        epoch: In which epoch.
        optimizer: The class of the model's.
    """
    seen = (
        f"{who}: no step was seen at `model.optimizer` in epoch {epoch + 1}. A `train_step` that updates the weights "
        f"with optimizers of its own is not watched, nor a step of {optimizer} by another way than its `apply` or "
        "`apply_gradients`."
    )
    return Finding("steps.none", "watch", "steps", seen)


ANOTHER_OPTIMIZER = "the model was compiled anew meanwhile, with another optimizer"
TAKEN_OFF = (
    "it was taken off the model meanwhile, by `detach_all` or since another `fit` began outside of its callbacks"
)


def detached(who: str, epoch: int, reason: str) -> Finding:
    """It goes on being called, and sees no steps any more.

    Args:
        who: The class that looked.
        epoch: In which epoch.
        reason: Why, as the rest of a sentence.
    """
    seen = f"{who}: from epoch {epoch + 1} on it sees no steps any more, and does nothing: {reason}."
    return Finding("steps.detached", "watch", "steps", seen)


def not_attached(who: str, reason: str) -> Finding:
    """It could not begin to look, and the training goes on without it.

    Args:
        who: The class that wanted to look.
        reason: What was raised.
    """
    return Finding("steps.unwatched", "watch", "steps", f"{who}: it does not watch this training. {reason}")
