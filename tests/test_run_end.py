"""A finished run says how long it took and what comes next; a dry run looks at what a run would."""

import os

import pytest

from mmseq.errors import UserError
from mmseq.runs.folder import new_folder


def options(encoder, *more):
    return [
        *("--fusion", "none", "--aux", "none", "--set", f"text_encoder.model={encoder}"),
        *("--set", "train.epochs=1", "--set", "train.device=cpu", *more),
    ]


def test_the_end_of_a_run_says_its_time_and_what_comes_next(
    run_cli, tiny_encoder, tiny_data, tmp_path
):
    run = tmp_path / "my run"
    done = run_cli("train", tiny_data, *options(tiny_encoder), "--output", run)
    assert done.code == 0, done.err
    *_, took, following, last = [line for line in done.out.splitlines() if line.strip()]
    assert took.startswith("It took ")
    assert f"mmseq predict '{run}' --input FILE" in following
    assert last == f"The run is in {run}"


def test_a_dry_run_looks_at_the_run_to_start_from(run_cli, tiny_encoder, tiny_data, tmp_path):
    absent = tmp_path / "no-run"
    told = run_cli("train", tiny_data, *options(tiny_encoder), "--init", absent, "--dry-run")
    assert told.code == 2
    assert f"No run folder '{absent}'" in told.err


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_into_is_refused_first(tmp_path):
    (tmp_path / "shut").mkdir(mode=0o500)
    with pytest.raises(UserError, match="may not be written into.*--output"):
        new_folder(tmp_path / "shut" / "run", "x")


def test_a_folder_that_is_to_be_made_is_none_that_cannot_be(tmp_path):
    assert new_folder(tmp_path / "a" / "b", "x") == tmp_path / "a" / "b"


def test_a_dry_run_of_a_rate_that_is_far_too_high_is_timed(run_cli, tiny_encoder, tiny_data):
    rates = ("--set", "train.learning_rate=1e30", "--set", "train.batch_size=4")
    told = run_cli("train", tiny_data, *options(tiny_encoder, *rates), "--dry-run")
    assert told.code == 0, told.err
