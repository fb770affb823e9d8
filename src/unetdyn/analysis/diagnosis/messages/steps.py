"""What everything that looks at training steps tells where there are none to see."""

from unetdyn.analysis.diagnosis.finding import Finding


def no_steps_seen(who: str, epoch: int) -> Finding:
    """No step went through the model's optimizer.

    Args:
        who: The class that looked.
        epoch: In which epoch.
    """
    seen = (
        f"{who}: no step was seen at `model.optimizer` in epoch {epoch + 1}. A `train_step` that updates the weights "
        "with optimizers of its own is not watched."
    )
    return Finding("steps.none", "watch", "steps", seen)
