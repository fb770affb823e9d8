"""What monitors declare of their keys, arrays and displays, and what of it survives in a file."""

import ast
import json
import sys
from pathlib import Path

import pytest

from unetdyn.analysis import declarations
from unetdyn.analysis.declarations import AGC, DECLARATIONS, GRADIENT, NOISE_SCALE, STABILITY, Declaration


@pytest.mark.parametrize(
    ("declared", "name", "key", "direction"),
    [
        (STABILITY, None, "stability", "down"),
        (STABILITY, None, "stability_cv", "down"),
        (STABILITY, None, "val_jaccard_stability", "down"),
        (STABILITY, None, "val_jaccard_stability_cv", "down"),
        (STABILITY, None, "val_jaccard", None),
        (STABILITY, None, "stability_of_mine", None),
        (STABILITY, "calm", "loss_calm_cv", "down"),
        (STABILITY, "calm", "stability", None),
        (GRADIENT, None, "grad_exploding", "down"),
        (GRADIENT, None, "grad_norm/enc1", "none"),
        (GRADIENT, None, "grad_norm/", None),
        (GRADIENT, "second", "grad_norm", "none"),
        (NOISE_SCALE, None, "noise_scale_high", "none"),
        (NOISE_SCALE, "b.simple", "b.simple_high", "none"),
        (NOISE_SCALE, "b.simple", "bxsimple_high", None),
        (AGC, None, "agc_fraction", "none"),
        (AGC, "mine", "mine_fraction", "none"),
    ],
)
def test_declaration_knows_its_keys(declared, name, key, direction):
    assert declared.named(name).direction_of(key) == direction


def test_declarations_have_different_names():
    assert len({declared.name for declared in DECLARATIONS}) == len(DECLARATIONS)


@pytest.mark.parametrize("declared", DECLARATIONS, ids=lambda declared: declared.name)
def test_declaration_comes_back_from_json_without_its_section(declared):
    named = declared.named("mine")
    back = Declaration.from_json("mine", json.loads(json.dumps(named.as_json())))
    assert back == Declaration("mine", named.keys, named.columns, named.arrays, named.displays, acts=named.acts)


def test_what_another_version_declared_is_left_out():
    display = {"title": "t", "array": "a", "display": "GradientDisplay"}
    kept = {
        "keys": {"sharpness": "none", "edge": "sideways"},
        "displays": [{**display, "colour": "red"}, {"title": "without an array"}],
        "sounds": ["beep"],
    }
    found = Declaration.from_json("mine", kept)
    assert found.keys == {"sharpness": "none"}
    assert [(each.title, each.array, each.display) for each in found.displays] == [("t", "a", "GradientDisplay")]
    assert Declaration.from_json("mine", {}) == Declaration("mine")


def test_declarations_need_nothing_but_the_standard_library():
    parts = ast.walk(ast.parse(Path(declarations.__file__).read_text(encoding="utf-8")))
    imported = [part for part in parts if isinstance(part, ast.Import | ast.ImportFrom)]
    names = {getattr(part, "module", None) or part.names[0].name for part in imported}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names
