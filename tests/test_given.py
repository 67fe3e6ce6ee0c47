"""What a Python caller may hand over wrongly: each is one line that says what to give."""

import io

import pytest
import torch
from PIL import Image

import mmseq
from mmseq.config.config import Config
from mmseq.pictures.opening import open_picture
from mmseq.tagging.device import usable_device
from mmseq.tagging.given import given_sentences, picture_files


def png(colour=(200, 10, 30)):
    file = io.BytesIO()
    Image.new("RGB", (20, 20), colour).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_of_any_kind_are_a_picture(kind):
    (found,) = picture_files("images[0]", kind(png()))

    assert open_picture(found).getpixel((3, 3)) == (200, 10, 30)


def closed_image(folder):
    path = folder / "a.png"
    path.write_bytes(png())
    image = Image.open(path)
    image.close()
    return image


def cut_image(folder):
    return Image.open(io.BytesIO(png()[:60]))


@pytest.mark.parametrize("make", [closed_image, cut_image, lambda folder: Image.new("RGB", (0, 0))])
def test_a_pillow_image_without_a_picture_is_one_line(make, tmp_path):
    with pytest.raises(mmseq.UserError, match=r"^images\[2\]: the Pillow image cannot be read \("):
        picture_files("images[2]", make(tmp_path))


@pytest.mark.parametrize("sentences", [{"text": "Anna went"}, {"Anna went"}])
def test_a_table_or_a_set_is_no_list_of_sentences(sentences):
    kind = type(sentences).__name__
    with pytest.raises(mmseq.UserError, match=f"^predict: sentences is a {kind}; give a list"):
        given_sentences(sentences, None, None)


@pytest.mark.parametrize("run", [None, 3, "", b"runs/a", ["runs/a"]])
def test_what_is_no_run_folder_is_one_line(run):
    with pytest.raises(mmseq.UserError, match="^load: .* is no run folder; give its path"):
        mmseq.load(run)


@pytest.mark.parametrize("device", [None, 0, 1.5])
def test_what_is_no_device_is_one_line(device):
    with pytest.raises(mmseq.UserError, match="^device .* is no name of a device; take 'auto'"):
        usable_device(device, int8=False)


def test_a_device_may_be_torchs_own_and_in_capitals():
    assert usable_device(torch.device("cpu"), int8=False) == torch.device("cpu")
    assert usable_device("CPU", int8=True) == torch.device("cpu")


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="there is an Apple GPU")
def test_a_device_that_is_not_there_does_not_list_all_others():
    with pytest.raises(mmseq.UserError) as caught:
        usable_device("mps", int8=False)

    assert str(caught.value).startswith("device 'mps' cannot be used here (")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("config", ["data", {"train.epochs": 3}, 3])
def test_training_wants_a_config(config):
    with pytest.raises(mmseq.UserError, match="^train: config is a .*Config.from_preset.*data="):
        mmseq.train(config)


def test_training_takes_no_empty_table_for_all_defaults():
    with pytest.raises(mmseq.UserError, match="^train: config is a dict;"):
        mmseq.train({})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Config.from_preset(3), "^Config: preset is 3; give the name"),
        (lambda: Config.from_file(None), "^Config: file is None; give the path"),
        (lambda: Config.from_file(3), "^Config: file is 3; give the path"),
        (lambda: Config.from_preset("quick", ["train.epochs=3"]), "^Config: settings .* a dict"),
        (lambda: Config.from_preset("quick", "train.epochs=3"), "^Config: settings .* a dict"),
    ],
)
def test_what_makes_no_config_is_one_line(make, message):
    with pytest.raises(mmseq.UserError, match=message):
        make()
