"""How fast do our builders train, against compiled PyTorch of the same shape in the same hour?

    python benchmarks/gpu_throughput.py
    python benchmarks/gpu_throughput.py --models UNet --frameworks jax,torch,torch-compiled,peer
    python benchmarks/gpu_throughput.py --models UNet --frameworks torch,torch-peer-eager --filters 4 --depth 2 \\
        --size 32 --batch 2 --steps 3 --repeats 3 --precision float32 --side 256

How it measures. A process has one backend, so each network in each framework is a process of its own; all of them
compile at the same time. Then they take turns: each trains `--steps` steps of one batch that lies on the device and
stops, while the others wait, `--repeats` times, in an order that rotates. Times are medians over these blocks, with
quartiles; `times the peer` is the median of the ratios within a repeat. Ours are one epoch of `fit` with focal loss and
ThresholdedJaccard, with all that `fit` does around it; the peer is a bare loop (`throughput_cases/torch_peer.py`:
channels_last, autocast to bfloat16, fused Adam, `torch.compile`, the same loss and counts).

`of the ceiling`: operations a second over those of a matrix product of `--side`² in bfloat16 in the same process. The
operations of a step are those of its convolutions, multiplications and additions, times three, for the two gradients.
Memory is the peak that the framework's allocator had, and on a CPU that of the process.

Frameworks: `jax`, `torch`, `tensorflow`; `torch-compiled` is `models.compile_forward`; `peer`, and `torch-peer-eager`,
the same without a compiler; `monai`, where it is installed, for UNet and AttentionUNet. Its shapes are its own (other
upsampling, dropout), so it has no share of the ceiling.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from throughput_cases.arithmetic import TRAINING, ratios, share_of_ceiling, spread

MODELS = "UNet,UNet:transpose,AttentionUNet,AttentionResUNet"


class Child:
    """A process that waits for its turn."""

    def __init__(self, model: str, framework: str, options: dict[str, Any]) -> None:
        self.model, self.framework = model, framework
        given = json.dumps({**options, "model": model, "framework": framework})
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--child", given], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.times: list[float] = []
        self.known: dict[str, Any] = {}

    def ask(self, word: str | None) -> dict[str, Any]:
        """What it answers; lines that are not for us are passed over. `{}` when it has died."""
        if word is not None and self.process.poll() is None:
            self.process.stdin.write(word + "\n")
            self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("@"):
                return json.loads(line[1:])
        return {}

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def measure(children: list[Child], repeats: int, side: int) -> list[Child]:
    """Let all compile, then take turns; those that fail are left out."""
    for child in children:
        child.known = child.ask(None)
    alive = [child for child in children if child.known]
    for child in alive:
        child.known |= child.ask(f"ceiling {side}")
    for turn in range(repeats):
        for place in range(len(alive)):
            child = alive[(place + turn) % len(alive)]
            child.times.append(child.ask("go")["ms"])
    for child in alive:
        child.known |= child.ask("memory")
        child.close()
    return alive


def rows(alive: list[Child]) -> list[dict[str, Any]]:
    """A row for each child, beside the peer of its own shape."""
    flops = {child.model: child.known["flops"] * TRAINING for child in alive if "flops" in child.known}
    peers = {child.model: child.times for child in alive if child.framework == "peer"}
    found = []
    for child in alive:
        middle, low, high = spread(child.times)
        row = {"model": child.model, "framework": child.framework, "ms": middle, "quartiles": [low, high]}
        row |= {"mib": child.known["mib"], "tflops": child.known["tflops"]}
        if child.model in flops and child.framework != "monai":
            row["share"] = share_of_ceiling(flops[child.model], middle, child.known["tflops"])
        if child.model in peers:
            row["times_the_peer"] = ratios(child.times, peers[child.model])
        found.append(row)
    return found


def table(found: list[dict[str, Any]]) -> str:
    lines = [
        "| network | framework | ms a step (quartiles) | times the peer | of the ceiling | peak MiB |",
        "| --- " * 6 + "|",
    ]
    for row in found:
        low, high = row["quartiles"]
        times = "{:.2f} ({:.2f}–{:.2f})".format(*row["times_the_peer"]) if "times_the_peer" in row else ""
        share = f"{100 * row['share']:.0f} %" if "share" in row else ""
        cells = [row["model"], row["framework"], f"{row['ms']:.1f} ({low:.1f}–{high:.1f})", times, share]
        lines.append("| " + " | ".join([*cells, f"{row['mib']:,.0f}"]) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--frameworks", default="jax,peer,monai")
    for name, default in {"filters": 64, "depth": 4, "size": 256, "batch": 16, "steps": 40, "repeats": 7}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--side", type=int, default=8192)
    parser.add_argument("--precision", default="mixed_bfloat16")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        from throughput_cases import child

        options = json.loads(given.child)
        return (child.peer if "peer" in options["framework"] or options["framework"] == "monai" else child.ours)(
            options
        )
    names = ("filters", "depth", "size", "batch", "steps", "precision")
    options = {name: getattr(given, name) for name in names}
    wanted = [(m, f) for m in given.models.split(",") for f in given.frameworks.split(",")]
    has_monai = importlib.util.find_spec("monai") is not None
    wanted = [(m, f) for m, f in wanted if f != "monai" or (has_monai and m in ("UNet", "AttentionUNet"))]
    alive = measure([Child(m, f, options) for m, f in wanted], given.repeats, given.side)
    found = rows(alive)
    missing = {*wanted} - {(child.model, child.framework) for child in alive}
    print(f"{options} · matrix product: " + ", ".join(f"{row['tflops']:.1f}" for row in found) + " TFLOP/s")
    print(table(found))
    for model, framework in sorted(missing):
        print(f"{model} in {framework} failed; its reason is above.")
    if given.json:
        given.json.write_text(json.dumps({"options": options, "rows": found}, indent=1))
    return None


if __name__ == "__main__":
    main()
