"""What do our rooms cost on top of what a user imports anyway? Medians over fresh processes, interleaved.

python benchmarks/import_cost.py --repeats 7
"""

import argparse
import statistics
import subprocess
import sys
import time

CODES = {
    "numpy": "import numpy",
    "numpy, unetdyn.analysis": "import numpy, unetdyn.analysis",
    "numpy, analysis.stability of ten numbers": (
        "import numpy, unetdyn.analysis; unetdyn.analysis.stability([0.1 * epoch for epoch in range(10)])"
    ),
    "numpy, unetdyn.runs": "import numpy, unetdyn.runs",
    "keras": "import keras",
    "keras, unetdyn": "import keras, unetdyn",
    "keras, unetdyn.callbacks": "import keras, unetdyn.callbacks",
}


def seconds(code: str) -> float:
    inside = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
    done = subprocess.run([sys.executable, "-c", inside], capture_output=True, text=True, check=True)
    time.sleep(0.1)
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    rounds = [{name: seconds(code) for name, code in CODES.items()} for _ in range(parser.parse_args().repeats)]
    width = max(map(len, CODES))
    for name in CODES:
        first = name.split(",")[0]
        line = f"{name:<{width}}  {statistics.median(one[name] for one in rounds):.3f} s"
        if name != first:
            extra = statistics.median(one[name] - one[first] for one in rounds)
            line += f", {extra:+.3f} s on top ({extra / statistics.median(one[first] for one in rounds):+.1%})"
        print(line)


if __name__ == "__main__":
    main()
