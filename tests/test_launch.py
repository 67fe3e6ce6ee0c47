"""What is told before several processes do any work; more of it in test_two_processes.py."""

import pytest

import mmseq
from mmseq.training.launch import require_launcher, require_seen


def test_a_launcher_that_shares_the_model_out_is_refused(monkeypatch):
    require_launcher()
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(mmseq.UserError, match="FSDP.*torchrun"):
        require_launcher()


def test_a_machine_without_the_runs_folder_says_so(tmp_path):
    with pytest.raises(mmseq.UserError, match="process 0 .*machines"):
        require_seen(tmp_path / "run", wait=0)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.toml").touch()
    require_seen(tmp_path / "run", wait=0)
