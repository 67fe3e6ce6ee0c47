"""The wheel holds what the repository holds: no more files, no fewer."""

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[1]
DISTRIBUTIONS = [ROOT, *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))]


def tracked(folder):
    """Files of the packages of a distribution, as git knows them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "mmseq*"],
        cwd=folder,
        capture_output=True,
        check=True,
    ).stdout.decode()
    return {name for name in listed.split("\0") if name and (folder / name).is_file()}


@pytest.mark.parametrize("folder", DISTRIBUTIONS, ids=lambda path: path.name)
def test_a_wheel_holds_every_file_of_its_package(folder, tmp_path):
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("compares with git ls-files: needs git and a checkout")
    (wheel,) = WheelBuilder(str(folder)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        names = {n for n in archive.namelist() if ".dist-info/" not in n}
    expected = tracked(folder)
    assert any(name.endswith("__init__.py") for name in expected)
    assert names == expected
