"""Every monitor and control declares what it writes: the keys in `logs`, the arrays, the displays, the section."""

import functools
import inspect

import keras
import numpy as np
import pytest

import unetdyn.report
from monitored_units import CONTROLS, MONITORS
from unetdyn import callbacks
from unetdyn.analysis.declarations import DECLARATIONS, Declaration

UNITS = {name: make for name, make in (MONITORS | CONTROLS).items() if hasattr(getattr(callbacks, name), "declaration")}


@functools.cache
def watched(name, called, folder):
    """A unit under another name than its own, and the keys it wrote into the logs of a short training."""
    unit = UNITS[name](folder)
    unit.name = called
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="relu"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse")
    x = np.random.default_rng(0).random((120, 2))
    history = model.fit(x, x[:, :1], batch_size=2, epochs=2, validation_split=0.25, verbose=0, callbacks=[unit]).history
    return unit, history.keys() - {"loss", "val_loss"}


@pytest.fixture(params=UNITS, scope="module")
def name(request):
    return request.param


def test_unit_has_a_declaration_of_its_own_and_its_name(name):
    unit = getattr(callbacks, name)
    assert unit.declaration in DECLARATIONS
    assert [other for other in UNITS if getattr(callbacks, other).declaration is unit.declaration] == [name]
    assert inspect.signature(unit).parameters["name"].default == unit.declaration.name


def bounds_of_settings():
    """(unit, argument, kind of bound, bound) of each setting that a configuration offers with bounds."""
    for name in UNITS:
        section = getattr(callbacks, name).declaration.section
        for argument, setting in section.settings.items() if section is not None else ():
            yield from ((name, argument, kind, bound) for kind, bound in setting.bounds.items())


@pytest.mark.parametrize(("name", "argument", "kind", "bound"), list(bounds_of_settings()))
def test_bounds_of_settings_are_those_of_the_unit(name, argument, kind, bound):
    unit = getattr(callbacks, name)
    outside = {"ge": bound - 1, "gt": bound, "le": bound + 1, "lt": bound, "min_length": ("loss",) * (bound - 1)}[kind]
    with pytest.raises((TypeError, ValueError), match=f"`{argument}`"):
        unit(**{argument: outside})
    if kind in ("ge", "le"):
        unit(**{argument: bound})


def test_every_declaration_has_its_unit():
    by_a_unit = {getattr(callbacks, name).declaration.name for name in UNITS}
    assert {declared.name for declared in DECLARATIONS} - by_a_unit == {"schedule", "recorder"}


@pytest.mark.parametrize("called", ["mine", None])
def test_unit_writes_only_keys_that_it_declares(name, called, tmp_path_factory):
    own = getattr(callbacks, name).declaration
    unit, keys = watched(name, called or own.name, tmp_path_factory.getbasetemp())
    assert keys
    assert {key for key in keys if own.named(unit.name).direction_of(key) is None} == set()
    assert None not in {own.named(unit.name).direction_of(column) for column in own.named(unit.name).columns}


def test_unit_records_the_arrays_that_it_declares(name, tmp_path_factory):
    own = getattr(callbacks, name).declaration
    record = watched(name, own.name, tmp_path_factory.getbasetemp())[0].record
    assert {array for array in record if not own.holds(array)} == set()
    for declared in own.arrays:
        pattern = Declaration("", arrays=(declared,))
        assert any(pattern.holds(array) for array in record), f"nothing that is recorded fits {declared!r}"


def test_declared_displays_draw_the_record(name, tmp_path_factory):
    own = getattr(callbacks, name).declaration
    record = watched(name, own.name, tmp_path_factory.getbasetemp())[0].record
    for declared in own.displays:
        assert declared.display in unetdyn.report.__all__
        if len(record[declared.array]):  # a network without a norm has no scale-invariant kernels
            display = getattr(unetdyn.report, declared.display).from_record(record, **declared.arguments)
            assert display.plot().figure_.axes[0].has_data()
