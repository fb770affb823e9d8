"""Scoring needs no Keras and no backend; names load their module when they are first asked for."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

from unetdyn import evaluation


def test_it_loads_no_keras_no_backend_and_no_picture():
    names = ", ".join(evaluation.__all__)
    shown = "sorted({n.split('.')[0] for n in sys.modules} & {'keras', 'tensorflow', 'jax', 'torch', 'matplotlib'})"
    code = f"import sys\nfrom unetdyn.evaluation import {names}\nprint({shown})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_public_name_is_there_in_all_four_lists():
    (block,) = (
        node
        for node in ast.parse(inspect.getsource(evaluation)).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    typed = [(alias.name, node.module) for node in block.body for alias in node.names]
    assert sorted(name for name, _ in typed) == sorted(evaluation.__all__) == sorted(evaluation._MODULES)
    assert set(evaluation.__all__) <= set(dir(evaluation))
    for name, module in typed:
        assert getattr(evaluation, name) is getattr(importlib.import_module(module), name)
    with pytest.raises(AttributeError, match="no attribute 'evaluate_section'"):
        _ = evaluation.evaluate_section


def test_no_module_bears_a_public_name():
    assert {module.name for module in pkgutil.iter_modules(evaluation.__path__)}.isdisjoint(evaluation.__all__)
