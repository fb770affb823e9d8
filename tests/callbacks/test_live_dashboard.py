"""LiveDashboard: what stands in its picture and its lines, and when it draws."""

import ast
import io
import math
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from matplotlib.figure import Figure

from predicted import planted_pictures, planted_record
from unetdyn import callbacks
from unetdyn.analysis import sliding_stability
from unetdyn.analysis.curves import Curves
from unetdyn.callbacks import GradientMonitor, LiveDashboard, PredictionRecorder, StabilityMonitor
from unetdyn.callbacks.dashboard_panels import draw_predictions, draw_profile
from unetdyn.callbacks.probe_monitor import Maps
from unetdyn.runs.predictions import Predictions

EPOCHS = [
    {"loss": 0.9, "val_loss": 0.8, "jaccard": 0.1, "val_jaccard": 0.2},
    {"loss": 0.5, "val_loss": 0.6, "jaccard": 0.4, "val_jaccard": 0.3},
    {"loss": 0.4, "val_loss": 0.5, "jaccard": 0.6, "val_jaccard": 0.5},
]


def fed(epochs=EPOCHS, **arguments):
    dashboard = LiveDashboard(**{"where": "terminal", "window": 2} | arguments)
    dashboard.set_params({"epochs": 5})
    dashboard.on_train_begin()
    for epoch, logs in enumerate(epochs):
        dashboard.on_epoch_begin(epoch)
        dashboard.on_epoch_end(epoch, logs)
    return dashboard


def axes(dashboard):
    figure = dashboard.draw()
    assert isinstance(figure, Figure)
    return {ax.get_ylabel() or ax.get_xlabel(): ax for ax in figure.axes}


def heights(ax, label=None):
    lines = [line for line in ax.get_lines() if label in (None, line.get_label())]
    return np.asarray(lines[0].get_ydata(), dtype=float)


def test_picture_holds_what_was_logged():
    drawn = axes(fed())
    assert list(drawn) == ["loss", "Jaccard", "σ of the validation loss"]
    for panel, name in (("loss", "loss"), ("Jaccard", "jaccard")):
        for label, key in (("training", name), ("validation", f"val_{name}")):
            np.testing.assert_array_equal(heights(drawn[panel], label), [logs[key] for logs in EPOCHS])
    sigma = drawn["σ of the validation loss"]
    np.testing.assert_array_equal(heights(sigma), sliding_stability([0.8, 0.6, 0.5], window=2))
    assert sigma.get_title("left") == "σ 0.0707 over the last 2 epochs: Moderate; 12.9 % of the mean: Poor"
    np.testing.assert_array_equal(sigma.get_lines()[0].get_xdata(), [1, 2, 3])


def test_worst_predictions_have_a_panel():
    found, ax = Predictions.from_record(planted_record()), Figure().subplots()
    draw_predictions(ax, found)
    _, mask, probability, _ = planted_pictures()
    above = probability[-1] > 0.5  # of the last epoch
    scores = sorted((mask & above).sum(axis=(1, 2)) / (mask | above).sum(axis=(1, 2)))
    assert [text.get_text() for text in ax.get_xticklabels()] == [f"{score:.2f}" for score in scores]
    assert ax.get_title("left") == "predictions of epoch 10: the worst of 3 tiles"
    assert ax.images[0].get_array().shape[0] == 2 * (12 + 1)


def test_predictions_are_shown_when_there_are_some():
    recorder = PredictionRecorder()
    dashboard = fed(predictions=recorder)
    before = len(dashboard.draw().axes)
    blank = np.zeros((1, 4, 4), "float32")
    maps = Maps(blank > 0, blank, blank > 0)
    recorder._tiles.choose(blank, maps, gates=0, each=1, seed=0)
    recorder._tiles.keep(2, maps, {}, rows=[0], best=None)
    assert len(dashboard.draw().axes) == before + 1
    with pytest.raises(TypeError, match="`predictions` must be a PredictionRecorder, or None"):
        LiveDashboard(predictions=5)


def test_lines_say_epoch_numbers_and_class(capsys):
    fed()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "epoch 1/5  loss 0.9  val_loss 0.8  jaccard 0.1  val_jaccard 0.2"
    assert lines[2].startswith("epoch 3/5  loss 0.4  ")
    assert lines[2].endswith("σ 0.0707 Moderate, 13% Poor")


@pytest.mark.parametrize(
    "epochs",
    [
        [{"loss": math.nan, "val_loss": math.inf}],
        [{"loss": 1.0}],
        [{"loss": 1.0}, {"loss": 0.5, "val_loss": 0.4}],
        [{"loss": 0.0}] * 3,
        [{"loss": 1.0, "by_class": np.zeros(3)}],
        [{"loss": 1.0, r"price_$\frac$": 0.5}],
    ],
    ids=["not finite", "one epoch", "rare validation", "σ of zero", "a value a class", "no mathematics"],
)
def test_picture_bears_any_logs(epochs):
    dashboard = fed(epochs)
    dashboard.draw().savefig(io.BytesIO(), format="png")
    assert next(iter(axes(dashboard))) == "loss"
    assert "by_class" not in dashboard.curves


@pytest.mark.parametrize("value", ["yes", None, np.zeros(3), [[1], [2, 3]], {}, object()])
def test_what_is_no_number_is_left_out(value, capsys):
    dashboard = fed([{"loss": np.float32(1.0), "accuracy": [0.5], "jaccard": value}])
    assert {name: curve.values.tolist() for name, curve in dashboard.curves.items()} == {"loss": [1], "accuracy": [0.5]}
    assert capsys.readouterr().out == "epoch 1/5  loss 1  accuracy 0.5\n"


def test_values_that_are_not_finite_are_marked():
    broken = {"loss": math.nan, "val_loss": math.inf, "jaccard": 0.5, "val_jaccard": math.nan}
    drawn = axes(fed([*EPOCHS, broken, broken]))
    assert all(ax.get_xlim() == (0.5, 5.5) for ax in drawn.values())
    for panel, label in (
        ("loss", "training not finite"),
        ("loss", "validation not finite"),
        ("Jaccard", "validation not finite"),
        ("σ of the validation loss", "σ not finite"),
    ):
        crosses = next(line for line in drawn[panel].get_lines() if line.get_label() == label)
        assert crosses.get_xdata().tolist() == [4, 5]
        assert label in [text.get_text() for text in drawn[panel].get_legend().get_texts()]
    assert [line.get_label() for line in drawn["Jaccard"].get_lines()].count("training not finite") == 0


def test_block_without_a_finite_norm_is_marked():
    ax = Figure().subplots()
    draw_profile(ax, {"enc1": 1.0, r"$\frac$": math.nan, "head": 2.0})
    assert ax.get_lines()[1].get_ydata().tolist() == [1]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["not finite"]
    ax.figure.savefig(io.BytesIO())


def test_line_has_no_number_of_an_earlier_epoch(capsys):
    validated = {"loss": 0.5, "val_loss": 0.4, "jaccard": 0.6, "val_jaccard": 0.7, "grad_norm": 2.0}
    fed([validated, validated, {"loss": 0.3, "jaccard": 0.6}])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith("val_jaccard 0.7  σ 0 Excellent, 0% Excellent  grad_norm 2")
    assert lines[2] == "epoch 3/5  loss 0.3  jaccard 0.6"


@pytest.mark.parametrize("metric", ["loss", "grad_norm"])
def test_metric_that_is_shown_anyway_is_shown_once(metric, capsys):
    dashboard = fed([{"loss": 0.5, "grad_norm": 2.0}], metric=metric)
    assert capsys.readouterr().out.count(f"{metric} ") == 1
    assert [ax.get_ylabel() for ax in dashboard.draw().axes].count("loss") == 1


def test_line_costs_the_same_however_long_the_training(monkeypatch):
    sizes = []
    monkeypatch.setattr(
        "unetdyn.callbacks.live_dashboard.Curves",
        lambda columns: sizes.append(max(len(values) for _, values in columns.values())) or Curves(columns),
    )
    fed([EPOCHS[0]] * 50, window=3)
    assert len(sizes) == 50
    assert max(sizes) == 3


def test_picture_of_a_training_without_a_loss_is_empty():
    assert fed([{"seconds": 1.0}]).draw().axes == []


def training(callbacks, epochs=3):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(3, name="enc1_dense"), keras.layers.Dense(1, name="head_dense")]
    )
    model.compile(loss="mse", optimizer=keras.optimizers.SGD(0.01))
    x = np.random.default_rng(0).random((8, 2)).astype("float32")
    model.fit(x, x[:, :1], batch_size=2, epochs=epochs, verbose=0, callbacks=callbacks)


def test_picture_has_the_gradient_of_the_last_epoch_by_block(capsys):
    monitor = GradientMonitor()
    dashboard = LiveDashboard(gradient=monitor, where="terminal")
    training([monitor, StabilityMonitor("loss", window=2), dashboard])
    profile = axes(dashboard)["gradient norm, last epoch"]
    steps = monitor.record["epoch"] == 2
    assert steps.sum() == 4
    expected = [np.median(norms[steps]) for norms in monitor.record["block_grad_norm"].values()]
    np.testing.assert_allclose(profile.get_lines()[0].get_xdata(), expected, rtol=1e-6)
    assert [tick.get_text() for tick in profile.get_yticklabels()] == list(monitor.record["block_grad_norm"])
    assert f"grad_norm {dashboard.curves['grad_norm'].values[-1]:.3g}" in capsys.readouterr().out
    assert dashboard.curves.default_metric is None


class Screen:
    """Stands for IPython's display: counts new pictures and replaced ones."""

    def __init__(self):
        self.new = self.replaced = 0

    def display(self, picture, display_id):
        assert picture.data.startswith(b"\x89PNG")
        self.new += 1
        return self

    def update(self, picture):
        self.replaced += 1


@pytest.fixture
def screen(monkeypatch):
    import IPython.display

    screen = Screen()
    monkeypatch.setattr(IPython.display, "display", screen.display)
    return screen


def test_notebook_has_one_picture_drawn_anew(screen, capsys):
    dashboard = fed(where="notebook", every_seconds=0)
    dashboard.on_train_end()
    assert (screen.new, screen.replaced) == (1, 2)  # nothing new at the end
    assert dashboard.pictures == 3
    assert capsys.readouterr().out == ""


def test_pictures_are_not_drawn_more_often_than_asked_but_once_more_at_the_end(screen, monkeypatch):
    clock = iter([0.0, 0.0, 0.5, 1.0, 1.0, 1.5, 2.0, 2.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    dashboard = fed([{"loss": 1.0}] * 4, where="notebook", every_seconds=1.0)  # at 0.0, not 0.5, at 1.0, not 1.5
    assert (screen.new, screen.replaced) == (1, 1)
    dashboard.on_train_end()
    assert (screen.new, screen.replaced) == (1, 2)


def test_second_fit_has_its_own_picture_and_carries_on(screen):
    dashboard = fed(where="notebook", every_seconds=0)
    dashboard.on_train_begin()
    dashboard.on_epoch_begin(3)
    dashboard.on_epoch_end(3, {"loss": 0.3})
    assert screen.new == 2
    assert dashboard.curves["loss"].epochs.tolist() == [0, 1, 2, 3]
    dashboard.on_epoch_begin(2)
    dashboard.on_epoch_end(2, {"loss": 0.2})
    assert dashboard.curves["loss"].values.tolist() == [0.9, 0.5, 0.2]
    dashboard.on_epoch_begin(0)
    assert len(dashboard.curves) == 0


def test_where_it_shows_is_found_out(monkeypatch):
    assert LiveDashboard().where == "terminal"
    kernel = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    assert LiveDashboard().where == "notebook"
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert LiveDashboard().where == "terminal"


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (
            {"gradient": StabilityMonitor()},
            TypeError,
            r"`gradient` must be a GradientMonitor.* Received: Stab",
        ),
        ({"every_seconds": -1}, ValueError, r"`every_seconds` must be .* 0 or above\. Received: every_seconds=-1\."),
        ({"every_seconds": "2"}, ValueError, r"Received: every_seconds='2'\."),
        ({"where": "notebok"}, ValueError, r"`where` must be one of 'auto', .* Did you mean 'notebook'\?"),
        ({"window": 1}, ValueError, r"`window` must be a whole number of epochs"),
    ],
)
def test_dashboard_refuses(arguments, error, text):
    with pytest.raises(error, match=text):
        LiveDashboard(**arguments)


def test_metric_that_was_never_logged_is_said():
    with pytest.warns(UserWarning, match=r"'dice' is not in the logs of epoch 1, which hold loss, .*"):
        dashboard = fed(metric="val_dice")
    assert list(axes(dashboard)) == ["loss", "σ of the validation loss"]


def test_callbacks_load_without_matplotlib(monkeypatch):
    """A training that draws nothing need not wait for it."""
    for name in ("matplotlib", "matplotlib.figure", "unetdyn._plotting", "unetdyn.callbacks.dashboard_panels"):
        monkeypatch.setitem(sys.modules, name, None)
    for path in Path(callbacks.__file__).parent.glob("*.py"):
        if path.stem != "dashboard_panels":
            imports = [
                node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)
            ]
            exec(compile(ast.Module(imports, []), path.name, "exec"), {})
    with pytest.raises(ModuleNotFoundError, match="matplotlib"):
        fed().draw()
