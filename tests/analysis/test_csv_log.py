"""What a table in a text file says, and what it can't."""

import numpy as np
import pytest

from unetdyn.analysis import read_history
from unetdyn.analysis.csv_log import read_csv


def write(tmp_path, text, name="log.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def lists(path):
    return {name: (epochs.tolist(), values.tolist()) for name, (epochs, values) in read_csv(path).items()}


HEAD = "epoch,loss,val_loss\n0,0.9,0.8\n1,0.5,0.214\n"


@pytest.mark.parametrize(
    ("row", "cells"), [("2,0.44,0.434,0.214", 4), ("2,0.44", 2), ("2", 1), ("2,0.1,0.2,0.3,0.4,0.5", 6)]
)
def test_row_with_other_cells_than_the_header_is_refused_by_its_line(tmp_path, row, cells):
    text = (
        rf"Received: {cells} cells in line 4, and 3 names: epoch, loss, val_loss. Where a training with other columns"
    )
    with pytest.raises(ValueError, match=text):
        read_csv(write(tmp_path, HEAD + row + "\n"))


def test_separator_at_the_end_of_a_line_is_no_cell(tmp_path):
    assert lists(write(tmp_path, "epoch,loss\n0,0.5,\n1,0.4,\n")) == {"loss": ([0, 1], [0.5, 0.4])}


def test_header_that_comes_again_begins_a_new_block(tmp_path):
    again = write(tmp_path, HEAD + "epoch,loss,val_loss\n2,0.4,0.3\n")  # taken up again
    assert lists(again)["val_loss"] == ([0, 1, 2], [0.8, 0.214, 0.3])
    with pytest.warns(UserWarning, match=r"log.csv holds 2 trainings, .* Only the last, of 1 rows, is read.$"):
        assert lists(write(tmp_path, HEAD + "epoch,loss,val_loss\n0,0.4,0.3\n")) == {
            "loss": ([0], [0.4]),
            "val_loss": ([0], [0.3]),
        }


def test_block_may_have_other_columns(tmp_path):
    other = write(tmp_path, HEAD + "epoch,dice,loss,val_loss\n2,0.7,0.4,0.3\n")
    assert lists(other) == {
        "loss": ([0, 1, 2], [0.9, 0.5, 0.4]),
        "val_loss": ([0, 1, 2], [0.8, 0.214, 0.3]),
        "dice": ([2], [0.7]),
    }


def test_second_training_under_one_header_is_told(tmp_path):
    with pytest.warns(UserWarning, match=r"of 1 rows, is read, under the one header that there is\.$"):
        read_csv(write(tmp_path, HEAD + "0,0.7,0.6\n"))


@pytest.mark.parametrize("last", ["2,0.44,0.43", "2,0.4", "2", "2,0.44,0.434,0.214"])
def test_last_line_without_its_end_is_left_out(tmp_path, last):
    with pytest.warns(UserWarning, match=r"log.csv: its last line was not written to its end"):
        assert lists(write(tmp_path, HEAD + last))["loss"] == ([0, 1], [0.9, 0.5])


def test_last_line_that_ends_in_a_closed_quote_is_whole(tmp_path):
    assert lists(write(tmp_path, '"epoch","loss"\n"0","0.5"\n"1","0.4"'))["loss"] == ([0, 1], [0.5, 0.4])


@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas_are_read_where_the_separator_is_another(tmp_path, separator):
    text = "epoch;loss;lr;steps\n0;0,9;1e-3;10\n1;-0,5;1,5e-4;20\n".replace(";", separator)
    found = lists(write(tmp_path, text))
    assert found["loss"] == ([0, 1], [0.9, -0.5])
    assert found["learning_rate"] == ([0, 1], [1e-3, 1.5e-4])


def test_decimal_commas_between_commas_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must hold numbers. Received: '0,9' as loss in line 2; write decimal points"):
        read_csv(write(tmp_path, 'epoch,loss,lr\n0,"0,9",1\n'))
    with pytest.raises(ValueError, match=r"Received: '1,234.5' as steps in line 2; write decimal points"):
        read_csv(write(tmp_path, "epoch;loss;steps\n0;0.5;1,234.5\n1;0.4;3\n"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_marks_of_spreadsheets_are_no_part_of_a_name(tmp_path, encoding):
    assert lists(write(tmp_path, "epoch\tloss\n3\t0.5\n4\t0.4\n", encoding=encoding)) == {"loss": ([3, 4], [0.5, 0.4])}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,0.9\n1,0.8\n", r"must begin with the names of its columns, .* Received: 0, 0.9; write epoch,loss,val_loss"),
        ("epoch,loss,loss\n0,0.9,0.1\n", r"must name each column once. Received: 'loss' twice in line 1"),
        ("epoch,loss\n0,1_0\n1,0.5\n", r"must hold numbers. Received: '1_0' as loss in line 2"),
        ("epoch,loss\n0,0.5\x00\n", r"must be a text file .* it holds zero bytes"),
        ("epoch,loss\n", r"must hold a header and a row for each epoch"),
        ("epoch,loss\nepoch,loss\n", r"must hold a header and a row for each epoch"),
    ],
)
def test_table_that_cannot_be_read_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_csv(write(tmp_path, text))


def test_comment_mark_of_numpy_is_no_part_of_a_name(tmp_path):
    path = tmp_path / "log.csv"
    np.savetxt(path, [[0, 0.9], [1, 0.5]], delimiter=",", header="epoch,loss")
    assert lists(path) == {"loss": ([0, 1], [0.9, 0.5])}


@pytest.mark.parametrize("nothing", ["", "NA", "None", "null", "N/A", "-"])
def test_cell_in_which_nothing_was_logged(tmp_path, nothing):
    assert lists(write(tmp_path, f"epoch,loss,val_loss\n0,0.9,{nothing}\n1,0.5,0.6\n"))["val_loss"] == ([1], [0.6])


def test_epochs_that_begin_with_one_count_from_one(tmp_path):
    assert lists(write(tmp_path, "epoch,loss\n1,0.9\n2,0.5\n"))["loss"] == ([0, 1], [0.9, 0.5])


def test_training_taken_up_again_gives_up_what_it_had_done_since(tmp_path):
    text = "epoch,loss\n" + "".join(f"{i},{v}\n" for i, v in [(0, 9), (1, 8), (2, 7), (3, 6), (1, 5), (2, 4)])
    with pytest.warns(UserWarning, match=r"taken up again from an earlier epoch: 1 of its epochs, up to epoch 3"):
        assert lists(write(tmp_path, text))["loss"] == ([0, 1, 2], [9, 5, 4])


def test_training_appended_to_a_later_part_of_another_is_not_mixed_with_it(tmp_path):
    text = "epoch,loss\n" + "".join(f"{i},{v}\n" for i, v in [(3, 9), (4, 8), (5, 7), (0, 6), (1, 5), (2, 4), (3, 3)])
    with pytest.warns(UserWarning, match="holds 2 trainings"):
        assert lists(write(tmp_path, text))["loss"] == ([0, 1, 2, 3], [6, 5, 4, 3])


def test_sparse_rows_of_lightning_make_one_epoch(tmp_path):
    """What its CSVLogger writes with a rate monitor: the rate before the epoch, steps, validation, the mean."""
    text = (
        "epoch,lr-Adam,step,train_loss_epoch,train_loss_step,val_loss,val_acc\n"
        ",0.001,0,,,,\n0,,49,,0.5,,\n0,,99,,,0.6,0.3\n0,,99,0.55,,,\n"
        ",0.0005,100,,,,\n1,,149,,0.4,,\n1,,199,,,0.5,0.4\n1,,199,0.45,,,\n"
    )
    assert lists(write(tmp_path, text)) == {
        "val_loss": ([0, 1], [0.6, 0.5]),
        "val_acc": ([0, 1], [0.3, 0.4]),
        "learning_rate": ([0, 1], [0.001, 0.0005]),
        "loss": ([0, 1], [0.55, 0.45]),
    }


def test_several_steps_of_an_epoch_are_averaged(tmp_path):
    text = "epoch,step,train_loss,val_loss\n0,10,0.8,\n0,20,0.6,0.9\n1,30,0.4,\n1,40,0.2,0.7\n"
    found = read_csv(write(tmp_path, text))
    np.testing.assert_allclose(found["loss"][1], [0.7, 0.3])
    assert found["val_loss"][1].tolist() == [0.9, 0.7]


def test_history_of_wandb_has_the_names_of_keras(tmp_path):
    text = (
        "_step,_runtime,_timestamp,epoch,train/loss,val/loss,val/dice,lr,system/gpu\n"
        "0,1.5,1.7e9,0,0.9,0.8,0.1,0.001,50\n1,2.5,1.7e9,1,0.5,0.6,0.4,0.001,60\n"
    )
    assert list(read_csv(write(tmp_path, text))) == ["loss", "val_loss", "val_dice", "learning_rate"]


def test_panel_of_wandb_holds_one_run(tmp_path):
    one = '"Step","run-a - val_loss","run-a - val_loss__MIN","run-a - val_loss__MAX"\n"0","0.9","0.9","0.9"\n'
    assert lists(write(tmp_path, one)) == {"val_loss": ([0], [0.9])}
    with pytest.raises(ValueError, match=r"must hold one training. Received: 2, run-a, run-b; export each"):
        read_csv(write(tmp_path, '"Step","run-a - val_loss","run-b - val_loss"\n"0","0.9","0.9"\n'))


def test_table_with_one_value_a_row_is_named_by_its_key_or_file(tmp_path):
    path = write(tmp_path, "Wall time,Step,Value\n1.7e9,0,0.9\n1.7e9,1,0.8\n", "run-validation-tag-epoch_loss.csv")
    assert lists(path) == {"loss": ([0, 1], [0.9, 0.8])}
    text = "Run ID,metric,step,value\nabc,loss,0,0.9\nabc,val_loss,0,0.8\nabc,loss,1,0.7\nabc,val_loss,1,0.6\n"
    assert lists(write(tmp_path, text)) == {"loss": ([0, 1], [0.9, 0.7]), "val_loss": ([0, 1], [0.8, 0.6])}
    with pytest.raises(ValueError, match=r"must hold one training. Received: 2, abc, xyz"):
        read_csv(write(tmp_path, text.replace("abc,loss,1", "xyz,loss,1")))


def test_validations_end_the_epochs_of_a_log_of_steps(tmp_path):
    text = "step,train_loss,val_loss\n100,0.9,\n200,0.7,0.8\n300,0.5,\n400,0.3,0.6\n"
    with pytest.warns(UserWarning, match="has steps and no epochs, so each of its 2 validations"):
        found = read_csv(write(tmp_path, text))
    np.testing.assert_allclose(found["loss"][1], [0.8, 0.4])
    assert found["val_loss"][0].tolist() == [0, 1]


def test_metric_is_chosen_from_what_can_be_one(tmp_path):
    names = "val_time,val_lr,val_grad_norm,val_step,val_runtime,val_stability,val_samples_per_second,epoch_time"
    text = f"epoch,loss,val_loss,{names},my_score,val_my_score\n" + "".join(f"{i}{',0.5' * 12}\n" for i in range(3))
    assert read_history(write(tmp_path, text)).default_metric == "my_score"
