"""What each monitor and control writes: its log keys, its arrays, its displays, its section of a configuration.

A monitor is declared once, here, and its class points to it: `declaration = declarations.GRADIENT`. A monitor of your
own declares itself in the same way. Nothing of it needs Keras, so that a finished run is judged without.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache, cached_property
from typing import Any, Literal, cast

Direction = Literal["up", "down", "none"]
"""Whether more is better, less is better, or neither."""

OWN = object()
"""As default of a `Setting`: that of the monitor's own argument."""

DIRECTIONS = ("up", "down", "none")
_HEATMAP = "BlockHeatmapDisplay"


@dataclass(frozen=True)
class DeclaredDisplay:
    """A picture that a report draws of a record.

    Attributes:
        title: Its heading.
        array: The array of the record that it needs; without it, or where it is empty, there is no picture.
        display: The name of a class of `unetdyn.report`, which is given the record.
        arguments: Its further arguments.
    """

    title: str
    array: str
    display: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """One argument of a monitor, as a configuration offers it.

    Attributes:
        kind: Its type.
        bounds: What pydantic's `Field` takes: `gt`, `ge`, `lt`, `le`, `min_length`.
        default: `OWN` (default): that of the monitor's own argument; `...` where it must be given.
        about: A few words for the reader of the configuration, such as its unit.
        logged: Whether it names values in `logs`, which the experiment must then measure.
        control: Whether it names another section, of a control that is handed over in place of the name.
    """

    kind: Any
    bounds: Mapping[str, float] = field(default_factory=dict)
    default: Any = OWN
    about: str = ""
    logged: bool = False
    control: bool = False


@dataclass(frozen=True)
class Section:
    """The section of a configuration that asks for a monitor.

    Attributes:
        settings: Argument of the monitor → what it may be.
        from_fit: Arguments that are taken from the configuration's section `fit`, under the same name.
        on_data: Whether its first argument is the dataset that is trained on.
        required: Whether it always watches; otherwise null turns it off.
        on: Whether it is there where a configuration says nothing of it; if not, `{}` has it with its defaults.
        about: One more sentence for the reader of the configuration.
    """

    settings: Mapping[str, Setting]
    from_fit: tuple[str, ...] = ()
    on_data: bool = False
    required: bool = False
    on: bool = True
    about: str = ""


@dataclass(frozen=True)
class Declaration:
    """What a monitor or a control writes.

    In `keys` and `columns`, `{name}` stands for the name that a monitor was given, and in `keys` and `arrays` `*` for
    any text: `grad_norm/*` for each block's key, `*_{name}` for a key of each value that is watched.

    Attributes:
        name: The name under which the record is kept, where the user gives no other.
        keys: Key in `logs` → `"up"` where more is better, `"down"` where less is, `"none"` for neither; the first that
            fits counts. What is declared here is not taken for a metric of the model.
        columns: The keys that a report shows in its table of epochs.
        arrays: What the record holds.
        displays: The pictures that a report draws of the record.
        section: How a configuration asks for it. None (default) if no configuration offers it.
        acts: Whether it is a control, which acts on the training; a monitor only measures.

    Example:
        >>> declared = Declaration("sharpness", keys={"{name}": "none", "{name}/*": "none"})
        >>> declared.direction_of("sharpness/enc1"), declared.direction_of("jaccard")
        ('none', None)
        >>> declared.named("edge").direction_of("edge/enc1")
        'none'
    """

    name: str
    keys: Mapping[str, Direction] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    arrays: tuple[str, ...] = ()
    displays: tuple[DeclaredDisplay, ...] = ()
    section: Section | None = None
    acts: bool = False

    def named(self, name: str | None = None) -> "Declaration":
        """That of a monitor which was given this name; None (default) takes its own."""
        name = self.name if name is None else name
        return replace(
            self,
            name=name,
            keys={key.replace("{name}", name): direction for key, direction in self.keys.items()},
            columns=tuple(column.replace("{name}", name) for column in self.columns),
        )

    def direction_of(self, key: str) -> Direction | None:
        """That of a key in `logs`; None where it is none of these."""
        return next((direction for pattern, direction in self._own_keys.items() if _fits(pattern, key)), None)

    @cached_property
    def _own_keys(self) -> Mapping[str, Direction]:
        """Those of a monitor with its own name: asked for each logged value of each run."""
        return self.named().keys

    def holds(self, array: str) -> bool:
        """Whether it is an array of the record."""
        return any(_fits(pattern, array) for pattern in self.arrays)

    def as_json(self) -> dict[str, Any]:
        """What `run.json` keeps: all but the section of the configuration, which the run has with its values."""
        kept = asdict(replace(self.named(), section=None))
        return {name: value for name, value in kept.items() if name not in ("name", "section")}

    @classmethod
    def from_json(cls, name: str, kept: Mapping[str, Any]) -> "Declaration":
        """What `as_json` wrote, by this version or another: what it does not understand is left out."""
        told = kept.get("keys")
        keys = told.items() if isinstance(told, Mapping) else ()
        return cls(
            name,
            {key: cast(Direction, way) for key, way in keys if isinstance(way, str) and way in DIRECTIONS},
            columns=tuple(_texts(kept.get("columns"))),
            arrays=tuple(_texts(kept.get("arrays"))),
            displays=tuple(_displays(kept.get("displays"))),
            acts=bool(kept.get("acts", False)),
        )


def _texts(kept: Any) -> list[str]:
    return [each for each in kept if isinstance(each, str)] if isinstance(kept, list | tuple) else []


def _displays(kept: Any) -> list[DeclaredDisplay]:
    """Of what is a list of displays, those with a title, an array and a class."""
    known = [each for each in kept if isinstance(each, Mapping)] if isinstance(kept, list | tuple) else []
    displays = []
    for each in known:
        title, array, display, arguments = map(each.get, ("title", "array", "display", "arguments"))
        if isinstance(title, str) and isinstance(array, str) and isinstance(display, str):
            displays.append(DeclaredDisplay(title, array, display, arguments if isinstance(arguments, Mapping) else {}))
    return displays


UNDECLARED = Declaration("monitor")
"""Of a monitor that declares nothing: its record is kept, and nothing is known of it."""


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".+".join(map(re.escape, text.split("*"))))


def _fits(pattern: str, text: str) -> bool:
    return _pattern(pattern).fullmatch(text) is not None


def _keys(direction: Direction, names: Iterable[str]) -> dict[str, Direction]:
    return dict.fromkeys(names, direction)


STABILITY = Declaration(
    "stability",
    keys=_keys("down", ("{name}", "{name}_cv", "*_{name}", "*_{name}_cv")),
    columns=("{name}", "{name}_cv"),
    arrays=("epoch", "*", "*_sigma", "*_cv"),  # of each value that is watched: itself, its σ, σ over its mean
    section=Section(
        {
            "monitor": Setting(tuple[str, ...], {"min_length": 1}, default=("val_loss", "val_jaccard"), logged=True),
            "window": Setting(int, {"ge": 2}),
            "ddof": Setting(Literal[0, 1]),
        },
        required=True,
    ),
)

GRADIENT = Declaration(
    "gradient",
    keys={
        **_keys("none", ("grad_norm", "grad_norm/*", "grad_norm_max", "grad_clipped")),
        **_keys("down", ("grad_nonfinite", "grad_exploding", "grad_vanishing", "grad_vanishing_blocks", "grad_spikes")),
    },
    columns=("grad_norm", "grad_norm_max"),
    arrays=(
        *("step", "epoch", "grad_norm", "applied_grad_norm", "applied", "nonfinite", "spike", "block_grad_norm"),
        *("explode", "vanish"),
    ),
    displays=(
        DeclaredDisplay("Gradient norm", "grad_norm", "GradientDisplay"),
        DeclaredDisplay("Gradient by block", "block_grad_norm", _HEATMAP, {"kind": "gradient"}),
    ),
    section=Section(
        {
            "explode": Setting(float, {"gt": 0}),
            "vanish": Setting(float, {"ge": 0}),
            "spike": Setting(float | None, {"gt": 0}),
            "window": Setting(int, {"ge": 4}),
        }
    ),
)

MATHEMATICAL = Declaration(
    "mathematical",
    keys=_keys("none", ("mean_grad_norm", "max_grad_norm", "grad_norm_std")),
    arrays=("step", "epoch", "grad_norm", "learning_rate"),
    displays=(DeclaredDisplay("Gradient norm", "grad_norm", "GradientDisplay"),),
)

UPDATE = Declaration(
    "update",
    keys=_keys("none", ("update_ratio_log10", "update_ratio_log10_min", "update_ratio_log10_max")),
    arrays=(
        *("step", "epoch", "learning_rate", "applied", "update_ratio", "update_ratio_other", "update_norm"),
        *("effective_rate", "effective_learning_rate", "low", "high"),
    ),
    displays=(
        DeclaredDisplay("Updates by block", "update_ratio", _HEATMAP, {"kind": "ratio"}),
        DeclaredDisplay("Effective updates by block", "effective_rate", _HEATMAP, {"kind": "rate"}),
    ),
    section=Section(
        {
            "low": Setting(float, {"ge": 0}),
            "high": Setting(float, {"gt": 0}),
            "warmup": Setting(int, {"ge": 0}, about="steps"),
        }
    ),
)

NOISE_SCALE = Declaration(
    "noise_scale",
    keys=_keys("none", ("trace_covariance", "gradient_sq", "{name}", "{name}_low", "{name}_high")),
    columns=("{name}",),
    arrays=(
        *("step", "trace_covariance", "gradient_sq", "noise_scale", "noise_scale_low", "noise_scale_high"),
        *("observations", "batch_size", "raw_step", "raw_trace_covariance", "raw_gradient_sq"),
    ),
    displays=(DeclaredDisplay("Gradient noise scale", "noise_scale", "NoiseScaleDisplay"),),
    section=Section(
        {"window": Setting(int, {"ge": 30}, about="observations")},
        from_fit=("batch_size",),
        about="It keeps one copy of the gradient.",
    ),
)

_BATCH = (
    *("images", "steps", "batch_size"),
    *(f"{of}_{end}" for of in ("input", "target", "output") for end in ("min", "max", "mean", "std", "nonfinite")),
    *("target_fractional", "target_other", "foreground", "empty", "output_spread", "above", "near"),
    *("constant_loss", "constant_output", "constant_jaccard"),
)

BATCH = Declaration(
    "batch",
    keys=_keys("none", ("{name}_foreground", "{name}_near", "val_{name}_foreground", "val_{name}_near")),
    arrays=("epoch", *_BATCH, *(f"val_{name}" for name in _BATCH)),
    section=Section({"threshold": Setting(float, about="of the outputs; 0 where they are logits")}),
)

_BUDGET = {"budget": Setting(float | None, {"gt": 0}, about="of the time of training; null: every epoch")}

MODE_GAP = Declaration(
    "mode_gap",
    keys=_keys("down", ("{name}_loss", "{name}_jaccard")),
    arrays=(
        *("epoch", "training_loss", "inference_loss", "training_jaccard", "inference_jaccard", "seconds"),
        *("mean_distance", "variance_ratio"),
    ),
    section=Section(_BUDGET),
)

FLIPS = Declaration(
    "flips",
    keys={"{name}_rate": "none", "{name}_best_jaccard": "up"},
    arrays=(
        *("epoch", "on", "off", "on_boundary", "off_boundary", "jaccard", "soft_jaccard", "best_jaccard"),
        *("best_threshold", "jaccard_change", "explained_on", "explained_off", "explained_boundary"),
        *("explained_inside", "near", "chronic", "seconds", "flip_count", "target"),
    ),
    displays=(DeclaredDisplay("Flips at the threshold", "flip_count", "FlipMapDisplay"),),
    section=Section(_BUDGET),
)

PREDICTIONS = Declaration(
    "predictions",
    keys={"{name}_jaccard": "up"},
    arrays=(
        *("epoch", "jaccard", "seconds", "shape", "kind", "place", "image", "mask", "best", "probability", "gate"),
        "gate_shape",
    ),
    displays=(
        DeclaredDisplay("Predictions", "probability", "PredictionDisplay", {"tiles": 4}),
        DeclaredDisplay("The worst tiles over the epochs", "probability", "PredictionDisplay", {"view": "epochs"}),
        DeclaredDisplay("What the gates let through", "gate", "PredictionDisplay", {"view": "gates"}),
    ),
    section=Section(
        {
            "each": Setting(int, {"ge": 1}, about="tiles of each of four kinds"),
            "every": Setting(int, {"ge": 1}, about="epochs"),
            "size": Setting(int, {"ge": 8}, about="pixels"),
            "max_bytes": Setting(int, {"ge": 2**16}),
            **_BUDGET,
        }
    ),
)

NON_FINITE_GUARD = Declaration(
    "non_finite_guard",
    keys={"skipped_updates": "down"},
    arrays=("step", "variable", "block", "entries", "variables"),
    acts=True,
)

AUTO_CLIP = Declaration(
    "auto_clip",
    keys=_keys("none", ("{name}_fraction", "{name}_norm")),
    arrays=("step", "grad_norm", "clip_norm", "clip_coefficient"),
    displays=(DeclaredDisplay("Gradient norm", "grad_norm", "GradientDisplay"),),
    acts=True,
)

RUNNING_AVERAGE_CLIP = Declaration(
    "running_average_clip",
    keys=_keys("none", ("{name}_fraction", "{name}_norm")),
    arrays=("step", "grad_norm", "clip_norm", "clip_coefficient"),
    displays=(DeclaredDisplay("Gradient norm", "grad_norm", "GradientDisplay"),),
    section=Section(
        {
            "alpha": Setting(float, {"gt": 0}, about="times the running average of the norms"),
            "decay": Setting(float, {"ge": 0, "le": 1}, about="of the average; 0.99 is about a hundred steps"),
        },
        on=False,
    ),
    acts=True,
)

AGC = Declaration(
    "agc",
    keys={"{name}_fraction": "none"},
    arrays=("step", "clip_fraction", "block_clip_fraction"),
    acts=True,
)

BATCH_SIZE = Declaration(
    "batch_size",
    keys={"{name}": "none"},
    arrays=("epoch", "batch_size"),
    section=Section(
        {"sizes": Setting(dict[int, int], default=..., about="epoch, from 0: images in a batch from then on")},
        on_data=True,
        on=False,
    ),
    acts=True,
)

GRADIENT_NOISE = Declaration(
    "gradient_noise",
    keys={"{name}_sigma": "none"},
    arrays=("step", "sigma"),
    section=Section(
        {
            "eta": Setting(float, {"ge": 0}, about="variance of the noise in the first update"),
            "gamma": Setting(float, {"ge": 0}, about="how fast it fades"),
            "seed": Setting(int, {"ge": 0}),
        },
        on=False,
    ),
    acts=True,
)

MOMENTUM = Declaration("momentum", keys={"{name}": "none"}, arrays=("step", "momentum"), acts=True)

CONVERGENCE = Declaration(
    "convergence",
    keys={"{name}": "none"},
    arrays=("epoch", "monitored", "holds"),
    section=Section(
        {
            "criterion": Setting(Literal["slope", "stability", "change", "improvement", "gradient"]),
            "min_epochs": Setting(int, {"ge": 1}, about="of the stage"),
            "restore_best_weights": Setting(bool, about="`model.keras` is of the best epoch in any case"),
            "monitor": Setting(str, logged=True),
            "settings": Setting(dict[str, Any] | None, about="further arguments of the criterion's function"),
        },
        on=False,
    ),
    acts=True,
)

_LEARNING_RATE = _keys("none", ("learning_rate",))  # as Keras' own callbacks write it, before it is lowered
_BETWEEN = {"gt": 0, "lt": 1}

STABILITY_CONTROL = Declaration(
    "stability_control",
    keys={"{name}": "none", **_LEARNING_RATE},
    arrays=("epoch", "sigma", "oscillation", "flip_rate", "value", "action"),
    section=Section(
        {
            "factor": Setting(float, _BETWEEN),
            "patience": Setting(int, {"ge": 1}, about="epochs"),
            "sigma": Setting(float | None, {"gt": 0}),
            "calm_sigma": Setting(float, {"ge": 0}),
            "oscillation": Setting(float | None, {"gt": 0}, about="level of the test, below 0.5"),
            "flip_rate": Setting(float | None, _BETWEEN),
            "calm_flip_rate": Setting(float, {"ge": 0}),
            "cooldown": Setting(int, {"ge": 0}, about="epochs that don't count after it has acted"),
            "min_learning_rate": Setting(float, {"ge": 0}),
            "clip": Setting(
                Literal["running_average_clip"] | None, control=True, about="tightened in place of the rate"
            ),
            "min_clipping": Setting(float | None, {"ge": 0}, about="absent: a hundredth of the clip's default"),
            "raise_after": Setting(int | None, {"ge": 1}, about="calm epochs; null: never"),
            "monitor": Setting(str, logged=True),
        },
        on=False,
    ),
    acts=True,
)

ROLLBACK = Declaration(
    "rollback",
    keys={"{name}": "none", **_LEARNING_RATE},
    arrays=("epoch", "monitored", "level", "limit", "verdict", "learning_rate", "back_to"),
    section=Section(
        {
            "factor": Setting(float, {"gt": 0, "le": 1}),
            "max_rollbacks": Setting(int, {"ge": 0}),
            "k": Setting(float, {"gt": 0}, about="robust deviations above its past"),
            "window": Setting(int, {"ge": 5}, about="epochs"),
            "monitor": Setting(str, logged=True),
        },
        on=False,
    ),
    acts=True,
)

SCHEDULE = Declaration("schedule", keys=_keys("none", ("learning_rate", "lr")), columns=("learning_rate",))
"""What Keras' own callbacks write, and `RunRecorder` where they don't."""

RECORDER = Declaration("recorder", keys=_keys("none", ("epoch", "seconds")), columns=("seconds",))

DECLARATIONS = (
    *(STABILITY, SCHEDULE, GRADIENT, MATHEMATICAL, UPDATE, NOISE_SCALE, BATCH, MODE_GAP, FLIPS, PREDICTIONS),
    *(ROLLBACK, STABILITY_CONTROL, CONVERGENCE, NON_FINITE_GUARD, AUTO_CLIP, RUNNING_AVERAGE_CLIP, AGC),
    *(GRADIENT_NOISE, BATCH_SIZE, MOMENTUM, RECORDER),
)
"""All of them; a report has their columns in this order, a configuration their sections."""
