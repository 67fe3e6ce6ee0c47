"""The checksum of pictures: their contents in the order of the sentences, not their names."""

from PIL import Image

from mmseq.contracts.example import Example
from mmseq.pictures.checksums import images_sha256


def example(*paths):
    return Example(("word",), ("O",), tuple(paths))


def picture(folder, name, colour):
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (20, 20), colour).save(folder / name)
    return folder / name


def test_it_is_of_contents_in_order_and_not_of_names(tmp_path):
    red, blue = (picture(tmp_path / "a", f"{c}.png", c) for c in ("red", "blue"))
    moved = [picture(tmp_path / "b", f"{n}.png", c) for n, c in (("1", "red"), ("2", "blue"))]
    digest = images_sha256([example(red), example(blue)])
    assert images_sha256([example(moved[0]), example(moved[1])]) == digest
    assert images_sha256([example(blue), example(red)]) != digest
    assert images_sha256([example(red, blue), example()]) != digest
    assert images_sha256([example(red), example()]) != digest


def test_a_changed_and_a_missing_picture_change_it(tmp_path):
    red = picture(tmp_path / "a", "red.png", "red")
    digest = images_sha256([example(red)])
    picture(tmp_path / "a", "red.png", "green")
    changed = images_sha256([example(red)])
    red.unlink()
    assert len({digest, changed, images_sha256([example(red)]), images_sha256([example()])}) == 4
