"""What README.md says that an example prints is what it prints."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_ten_line_example_prints_what_the_readme_says():
    """But for the figures: its weights are drawn anew each time."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## Every step, every block")[1]
    code, output = re.findall(r"```(?:python)?\n(.*?)```", section, re.DOTALL)[:2]
    assert len(code.splitlines()) <= 10
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    assert without_figures(done.stdout) == without_figures(output)
    ratios = [float(text) for text in re.findall(r"\((0\.\d+)\)", done.stdout)]
    assert len(ratios) == 2
    assert min(ratios) > 0.03


def without_figures(text):
    """Line breaks are the README's own."""
    return " ".join(re.sub(r"\(0\.\d+\)", "()", text).split())
