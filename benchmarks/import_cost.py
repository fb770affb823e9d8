"""What does `import unetdyn` cost on top of `import keras`? Prints the median over fresh processes, interleaved."""

import statistics
import subprocess
import sys
import time

REPEATS = 7
CODES = {
    "keras": "import keras",
    "keras and unetdyn": "import keras, unetdyn",
    "runs": "import unetdyn.analysis, unetdyn.runs",
}


def main() -> None:
    seconds: dict[str, list[float]] = {name: [] for name in CODES}
    for _ in range(REPEATS):
        for name, code in CODES.items():
            inside = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
            done = subprocess.run([sys.executable, "-c", inside], capture_output=True, text=True, check=True)
            seconds[name].append(float(done.stdout))
            time.sleep(0.1)
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    extra = statistics.median(
        both - alone for both, alone in zip(seconds["keras and unetdyn"], seconds["keras"], strict=True)
    )
    print(f"import keras {middle['keras']:.2f} s; unetdyn on top {extra:.3f} s ({extra / middle['keras']:.1%})")
    print(f"import unetdyn.analysis, unetdyn.runs without Keras: {middle['runs']:.3f} s")


if __name__ == "__main__":
    main()
