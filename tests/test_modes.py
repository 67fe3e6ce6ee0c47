"""What is written can be read by those whom the umask lets."""

import os
import stat

import pytest
import torch

from mmseq.jobs.shipping import load_run, pack_run
from mmseq.pictures.store import FeatureStore
from mmseq.runs.weights import write_tensors


def modes(folder):
    """Modes of the folders and of the files in a folder, itself among them."""
    found = [folder, *folder.rglob("*")]
    return tuple(
        {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_dir() == wanted}
        for wanted in (True, False)
    )


@pytest.mark.parametrize(
    ("umask", "folders", "files"),
    [(0o022, 0o755, 0o644), (0o002, 0o775, 0o664), (0o077, 0o700, 0o600)],
)
def test_weights_runs_and_features_have_the_modes_of_the_umask(tmp_path, umask, folders, files):
    before = os.umask(umask)
    try:
        run = tmp_path / "run"
        (run / "assets").mkdir(parents=True)
        (run / "assets" / "vocabulary.json").write_text("[]")
        write_tensors({"weight": torch.zeros(3)}, run / "model.safetensors")
        load_run(pack_run(run, "model.safetensors"), tmp_path / "back")
        row = {"map": torch.zeros(2).half().numpy()}
        FeatureStore(tmp_path / "store").open("f").append({"a": row})
    finally:
        os.umask(before)
    for folder in (run, tmp_path / "back", tmp_path / "store"):
        assert modes(folder) == ({folders}, {files}), folder
