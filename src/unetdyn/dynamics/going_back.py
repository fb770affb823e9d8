"""Back to an earlier state of the same training: what was learned since is undone, what counts and draws goes on."""

import keras

from unetdyn.dynamics.training_state import Values, copied, put_back, variables_of


def state_to_keep(model: keras.Model) -> Values:
    """What a training may come back to: model and optimizer, without what taps and controls carry through the step."""
    return copied(model, metrics=False, taps=False)


def go_back(model: keras.Model, kept: Values, now: Values) -> None:
    """Let a model have the values that it had, but for what must not be repeated or counted twice.

    The states of its random generators go on, so that what failed is not drawn again. So does what taps carry: their
    readers on the host have counted the rows.

    Args:
        model: Between two epochs.
        kept: From `state_to_keep`, then.
        now: The same, of now.

    Raises:
        ValueError: If the values are those of another model; nothing is changed then.
    """
    drawn = {id(generator.state) for layer in model._flatten_layers() for generator in _generators(layer)}
    variables = variables_of(model, metrics=False, taps=False)
    put_back(model, {**kept, **{place: now[place] for place, each in variables.items() if id(each) in drawn}})


def _generators(layer: keras.Layer) -> list[keras.random.SeedGenerator]:
    return list(getattr(layer, "_seed_generators", ()))
