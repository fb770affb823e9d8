"""A saved run opens on a laptop that has no backend."""

import subprocess
import sys


def test_analysis_and_runs_load_no_keras_and_no_backend():
    code = (
        "import sys, unetdyn.analysis, unetdyn.runs;"
        "print([name for name in ('keras', 'tensorflow', 'jax', 'torch', 'matplotlib') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
