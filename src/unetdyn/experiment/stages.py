"""The stages of a training: each compiled anew, with what is frozen in it, and a `fit` that carries on with the run."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import keras

from unetdyn._checks import unknown_choice
from unetdyn.callbacks import MomentumCycle, RunRecorder
from unetdyn.dynamics import layers_by_block
from unetdyn.experiment.build import compile_model
from unetdyn.experiment.config import Config
from unetdyn.experiment.learning_rate import momentum_cycle
from unetdyn.experiment.plateaus import early_stopping
from unetdyn.experiment.prepare import Prepared
from unetdyn.experiment.progress import Progress

Cycles = Mapping[str, MomentumCycle]
"""By the name of the stage in which it acts; of a training of one piece, `whole`."""


def momentum_cycles(config: Config) -> dict[str, MomentumCycle]:
    """What moves the momentum in each stage that asks for it; the first has the name `momentum` for its record."""
    made: dict[str, MomentumCycle] = {}
    for stage in config.trained:
        cycle = momentum_cycle(stage.optimizer, f"momentum_{stage.name}" if made else "momentum")
        if cycle is not None:
            made[stage.name] = cycle
    return made


def freeze(model: keras.Model, frozen: Iterable[str]) -> None:
    """Let these blocks learn nothing, and all others learn; moving statistics of what is frozen stay as they are.

    Takes effect when the model is compiled anew.

    Args:
        model: A built model.
        frozen: Names of its blocks, see `unetdyn.dynamics.blocks`.

    Example:
        >>> from unetdyn.models import UNet
        >>> model = UNet((16, 16, 1), filters=2, depth=1)
        >>> freeze(model, ["enc1", "bottleneck"])
        >>> sorted({variable.path.split("_")[0] for variable in model.trainable_variables})
        ['dec1', 'head']
    """
    frozen = set(frozen)
    for block, layers in layers_by_block(model).items():
        for layer in layers:
            layer.trainable = block not in frozen


def check_stages(model: keras.Model, config: Config, steps_per_epoch: int, cycles: Cycles) -> None:
    """Refuse, before anything trains, what can't be done in a later stage either; the first is compiled afterwards.

    Args:
        model: As `build_model` made it.
        config: With or without stages.
        steps_per_epoch: Batches in an epoch.
        cycles: From `momentum_cycles`.

    Raises:
        ValueError: If a block is not the model's, a stage leaves none to learn, or has a momentum to cycle that its
            optimizer lacks.
    """
    blocks = list(layers_by_block(model))
    for number, stage in reversed(list(enumerate(config.stages))):
        for block in stage.frozen:
            if block not in blocks:
                raise ValueError(unknown_choice(f"stages.{number}.frozen", block, blocks))
        if set(stage.frozen) == set(blocks):
            raise ValueError(f"`stages.{number}.frozen` must leave a block to learn. Received: all of {blocks}.")
        freeze(model, stage.frozen)
        compile_model(model, config.of_stage(stage), steps_per_epoch)
        _check_momentum(cycles.get(stage.name), model)
    if not config.stages:
        _check_momentum(next(iter(cycles.values()), None), model)


class CutOff(NamedTuple):
    """Where a training was cut off.

    Attributes:
        stage: The number of the stage, from 0.
        first: The first epoch of that stage, from 0.
    """

    stage: int
    first: int


def train(
    model: keras.Model,
    config: Config,
    prepared: Prepared,
    recorder: RunRecorder,
    watching: Sequence[keras.callbacks.Callback],
    cycles: Cycles,
    cut_off: CutOff | None = None,
) -> None:
    """Train all stages, or the one piece that there is.

    Early stopping ends its stage, with the weights that it restores, and the next begins: Keras' callbacks begin anew
    with each `fit`. Monitors and recorder carry on. A callback whose attribute `ends_training` is true ends them all.

    Args:
        model: Compiled for the first stage.
        config: With or without stages.
        prepared: The data.
        recorder: Of the run; it is in `watching` too.
        watching: The callbacks of all stages, in their order.
        cycles: The callbacks of one stage, which come first; its early stopping comes last.
        cut_off: Where the training goes on: with that stage, from the state that a `ResumableRun` in `watching` has.
            Default None: it begins.
    """
    stages, steps, stopping = config.trained, len(prepared.train), config.callbacks.early_stopping
    for number, stage in enumerate(stages):
        if cut_off is not None and number < cut_off.stage:
            continue
        carried_on = cut_off is not None and number == cut_off.stage
        first = cut_off.first if cut_off is not None and carried_on else recorder.next_epoch
        last = first + sum(each.epochs for each in stages[number:])
        if config.stages:
            freeze(model, stage.frozen)
            compile_model(model, config.of_stage(stage), steps)
            if not carried_on:  # else the state has it
                recorder.begin_stage(stage.name, more=number + 1 < len(stages))
        for each in watching:
            if isinstance(each, Progress):
                each.begin_stage(stage.name if config.stages else "", last)
        cycle = cycles.get(stage.name)
        if cycle is not None:
            cycle.count_from(first * steps)
        prepared.train.epoch = first
        model.fit(
            prepared.train,
            validation_data=prepared.validation,
            initial_epoch=first,
            epochs=first + stage.epochs,
            shuffle=False,  # the dataset draws its own order from (seed, epoch)
            verbose=0,
            callbacks=[
                *([cycle] if cycle is not None else []),
                *watching,
                *([early_stopping(stopping, first)] if stopping is not None else []),
            ],
        )
        if any(getattr(each, "ends_training", False) for each in watching):
            return


def _check_momentum(cycle: MomentumCycle | None, model: keras.Model) -> None:
    if cycle is None:
        return
    try:
        cycle.check(model.optimizer)
    except ValueError as error:
        raise ValueError(
            f"{error} In a configuration: another `optimizer.kind`, or `cycle_momentum: false` in `optimizer.schedule`."
        ) from None
