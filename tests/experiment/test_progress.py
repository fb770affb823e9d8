"""One moving line in a terminal, one line an epoch in a log file."""

import io

import keras
import numpy as np

from unetdyn.experiment.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def fit_with(stream):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((12, 1), "float32")
    model.fit(x, x, batch_size=2, epochs=2, verbose=0, callbacks=[Progress(stream, ("loss", "absent"))])
    return stream.getvalue()


def test_progress_in_a_log_file_is_one_line_per_epoch():
    lines = fit_with(io.StringIO()).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("epoch 1/2  loss ")
    assert lines[1].startswith("epoch 2/2  loss ")
    assert "absent" not in lines[0]
    assert "\r" not in lines[0]
    assert lines[0].endswith(" s")


def test_progress_on_a_closed_pipe_ends_no_training():
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError(32, "Broken pipe")

    progress = Progress(Closed(), ("loss",))
    progress.set_params({"epochs": 2, "steps": 6})
    progress.begin_stage("coarse", 2)
    for stream in (progress.stream, io.StringIO()):
        progress.stream = stream
        progress.on_epoch_begin(0)
        progress.on_train_batch_end(0)
        progress.on_epoch_end(0, {"loss": 0.5})
    assert stream.getvalue() == ""  # nobody reads it any more
    gone = io.StringIO()
    gone.close()
    progress = Progress(gone)
    progress.set_params({"epochs": 2, "steps": 6})
    progress.on_epoch_begin(0)
    progress.on_train_batch_end(0)
    progress.on_epoch_end(0)


def test_progress_in_a_terminal_moves_and_then_leaves_the_same_lines():
    text = fit_with(Terminal())
    assert "1/6" in text
    settled = [line.rpartition("\x1b[K")[2] for line in text.rstrip("\n").split("\n")]
    assert [line[:9] for line in settled] == ["epoch 1/2", "epoch 2/2"]
