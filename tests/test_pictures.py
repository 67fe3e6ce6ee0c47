import shutil
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

import mmseq.pictures.features
from mmseq.builtins.images.timm import TimmEncoder
from mmseq.config.config import DataConfig
from mmseq.console import Reporter
from mmseq.contracts.example import Example
from mmseq.contracts.states import Sizes
from mmseq.pictures.ready import pictures_to_compute, ready_pictures

CPU = torch.device("cpu")


@pytest.fixture
def decoded(monkeypatch):
    """How often each content has been decoded."""
    counts = Counter()
    decode = mmseq.pictures.features.decode_picture

    def counting(data, path):
        counts[data] += 1
        return decode(data, path)

    monkeypatch.setattr(mmseq.pictures.features, "decode_picture", counting)
    return counts


@pytest.fixture
def paths(tmp_path):
    """Five pictures, and the first once more under another name."""
    random = np.random.default_rng(0)
    found = [tmp_path / f"{number}.png" for number in range(5)]
    for path in found:
        noise = random.integers(0, 255, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
    copy = tmp_path / "copy.png"
    shutil.copy(found[0], copy)
    return [*found, copy]


def sentence(*images):
    return Example(tokens=("a",), tags=("O",), images=images)


@pytest.mark.parametrize("stored", [True, False])
def test_no_content_is_decoded_twice(paths, decoded, tmp_path, stored):
    torch.manual_seed(0)
    encoder = TimmEncoder(Sizes(("O",)), model="test_resnet", weights="random", train="frozen")
    data = DataConfig(features=str(tmp_path / "store") if stored else "off")
    # Named by several sentences, in both splits, twice in one sentence, and as a copy.
    train = [sentence(*paths[:3]), sentence(paths[0], paths[0]), sentence(paths[5])]
    valid = [sentence(paths[0]), sentence(paths[3], paths[4]), sentence(paths[5], paths[1])]
    quiet = Reporter(quiet=True)
    table = ready_pictures([train, valid], encoder, data, device=CPU, reporter=quiet)
    contents = {path.read_bytes() for path in paths}
    assert len(contents) == 5
    assert decoded == dict.fromkeys(contents, 1)
    images = [path for example in (*train, *valid) for path in example.images]
    for _ in range(2):
        maps = table.rows(images)["map"]
    assert torch.equal(maps[0], maps[images.index(paths[5])])
    assert not torch.equal(maps[0], maps[1])
    assert decoded == dict.fromkeys(contents, 1)
    if stored:
        assert pictures_to_compute(train, encoder, data, {}) == 0
        again = ready_pictures([valid, train], encoder, data, device=CPU, reporter=quiet)
        assert (again.new, again.reused) == (0, 5)
        assert decoded == dict.fromkeys(contents, 1)
