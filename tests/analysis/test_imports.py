"""A saved run opens on a laptop that has no backend; each analysis loads what it needs, when it is asked for."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

from unetdyn import analysis
from unetdyn.analysis import diagnosis


def loaded(code, *prefixes):
    """The loaded modules of these names, and below them, after that code ran in a fresh process."""
    after = f"import sys; print('\\n'.join(n for n in sorted(sys.modules) if (n + '.').startswith({prefixes!r})))"
    result = subprocess.run([sys.executable, "-c", f"{code}\n{after}"], capture_output=True, text=True, check=True)
    return result.stdout.split()


def test_analysis_and_runs_load_no_keras_and_no_backend():
    code = f"import unetdyn.runs\nfrom unetdyn.analysis import {', '.join(analysis.__all__)}"
    assert loaded(code, "keras.", "tensorflow.", "jax.", "torch.", "matplotlib.") == []


def test_sigma_of_ten_numbers_waits_for_nothing_else():
    code = "from unetdyn import analysis\nanalysis.stability([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])"
    assert loaded(code, "scipy.", "unetdyn.analysis.comparison.", "unetdyn.runs.") == []


def test_what_the_callbacks_take_from_here_loads_no_scipy():
    """Keras itself loads SciPy where scikit-learn is installed, so that only the modules can be looked at."""
    taken = loaded("import unetdyn.callbacks", "unetdyn.analysis.")
    assert taken
    assert loaded("\n".join(f"import {name}" for name in taken), "scipy.", "matplotlib.") == []


@pytest.mark.parametrize("package", [analysis, diagnosis])
def test_every_public_name_is_there(package):
    assert dir(package) == sorted(dir(package))
    assert set(package.__all__) <= set(dir(package))
    for name in package.__all__:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match=rf"module '{package.__name__}' has no attribute 'stabilty'"):
        _ = package.stabilty


@pytest.mark.parametrize("package", [analysis, diagnosis])
def test_type_checkers_read_the_list_of_names_and_no_getattr(package):
    """They run nothing: a list that is computed exports nothing, and where there is a `__getattr__` any name passes."""
    tree = ast.parse(inspect.getsource(package)).body
    assignments = [node for node in tree if isinstance(node, ast.Assign)]
    assigned = {ast.unparse(target): node.value for node in assignments for target in node.targets}
    assert sorted(ast.literal_eval(assigned["__all__"])) == sorted(package._MODULES)
    assert not any("__getattr__" in name for name in assigned)


@pytest.mark.parametrize("package", [analysis, diagnosis])
def test_no_module_bears_a_public_name_of_its_package(package):
    """Once such a module was imported, it would stand where the function should be."""
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    assert "registry" in modules or "curves" in modules
    assert modules.isdisjoint(package.__all__)


@pytest.mark.parametrize("package", [analysis, diagnosis])
def test_type_checkers_see_the_names_that_python_sees(package):
    blocks = [node for node in ast.parse(inspect.getsource(package)).body if isinstance(node, ast.If)]
    (block,) = (node for node in blocks if ast.unparse(node.test) == "TYPE_CHECKING")
    names = [(alias.name, node.module) for node in block.body for alias in node.names]
    assert sorted(name for name, _ in names) == sorted(package.__all__)
    assert all(getattr(package, name) is getattr(importlib.import_module(module), name) for name, module in names)


def test_a_name_is_looked_up_once():
    assert diagnosis.diagnose is vars(diagnosis)["diagnose"]
    assert analysis.stability is vars(analysis)["stability"]
