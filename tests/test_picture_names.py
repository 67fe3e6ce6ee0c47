"""Names of pictures to files: which file each name means, worked out by hand."""

import time
from pathlib import Path
from unicodedata import normalize

import pytest

from mmseq.builtins.conll import ConllReader
from mmseq.builtins.imgid import picture_of
from mmseq.data.picture_folder import PictureFolder
from mmseq.data.picture_names import elsewhere, shown
from mmseq.errors import UserError
from mmseq.pictures.opening import PictureProblem, read_picture

ACUTE = "caf\u00e9"


@pytest.fixture
def folder(tmp_path):
    def make(*files):
        for number, name in enumerate(files):
            path = tmp_path / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            # Every file holds something else.
            path.write_bytes(bytes([number]))
        return tmp_path / "images"

    return make


@pytest.mark.parametrize(
    ("wanted", "file"),
    [
        ("a.jpg", "a.jpg"),
        ("a.jpg", "a.JPG"),
        ("shot.jpg", "shot.Jpg"),
        ("x.jpeg", "x.JpEg"),
        ("only", "only.tiff"),
        ("only.jpg", "only.TIF"),
        ("photo.jpg", "photo.avif"),
        ("pic.jpg", "pic.jfif"),
        ("noext.jpg", "noext"),
        ("noext.PNG", "noext"),
        ("17.06", "17.06.webp"),
        ("17.06.jpg", "17.06"),
        ("sub/e.jpg", "sub/e.gif"),
        ("sub\\e.jpg", "sub/e.jpg"),
        (".\\sub\\deep\\e", "sub/deep/e.png"),
        ("back\\slash.jpg", "back\\slash.jpg"),
        (f"{ACUTE}.jpg", f"{normalize('NFD', ACUTE)}.jpg"),
        (f"{normalize('NFD', ACUTE)}.jpg", f"{ACUTE}.PNG"),
        (f"{ACUTE}/a b.jpg", f"{normalize('NFD', ACUTE)}/a b.jpg"),
        (f"{ACUTE}/sub/a.jpg", f"{normalize('NFD', ACUTE)}/sub/a.jpeg"),
        ("images/a.jpg", "a.jpg"),
        ("./images/a", "a.png"),
        ("images\\a.jpg", "a.jpg"),
        ("phone.jpg", "phone.HEIC"),
        ("phone.heic", "phone.jpg"),
    ],
)
def test_a_name_means_a_file(folder, wanted, file):
    assert PictureFolder(folder(file)).find(Path(wanted)) == folder() / file


@pytest.mark.parametrize(
    ("wanted", "files", "found"),
    [
        ("a.jpg", ("a.jpg", "a.png", "a"), "a.jpg"),
        ("a", ("a.jpg", "a"), "a"),
        # The same ending in other case is nearer than another one.
        ("a.PNG", ("a.jpg", "a.png"), "a.png"),
        # The same letters are nearer than the same ending.
        (f"{ACUTE}.jpg", (f"{normalize('NFD', ACUTE)}.jpg", f"{ACUTE}.JPG"), None),
        ("a.jpg", ("a.png", "a.svg"), "a.png"),
        ("a.jpg", ("a.txt", "a.json", "a.png"), "a.png"),
    ],
)
def test_the_nearest_file_is_taken(folder, wanted, files, found):
    expected = folder() / (found or files[0])
    assert PictureFolder(folder(*files)).find(Path(wanted)) == expected


@pytest.mark.parametrize(
    ("wanted", "files"),
    [
        ("a", ("a.jpg", "a.png")),
        ("a.gif", ("a", "a.webp")),
        ("a.jpg", ("a.Jpg", "a.JPG")),
        ("a.jpg", ("a.jpeg", "a.jpe")),
        ("sub\\a", ("sub/a.bmp", "sub/a.tif")),
    ],
)
def test_two_files_that_fit_are_an_error_that_names_both(folder, wanted, files):
    with pytest.raises(UserError) as caught:
        PictureFolder(folder(*files)).find(Path(wanted))
    for file in files:
        assert str(folder() / file) in str(caught.value)


def test_files_with_the_same_bytes_are_no_two_pictures(folder):
    images = folder("a.png", "a.jpg")
    (images / "a.png").write_bytes((images / "a.jpg").read_bytes())
    assert PictureFolder(images).find(Path("a")) == images / "a.jpg"


def test_what_is_not_there_stands_where_it_should(folder, tmp_path):
    find = PictureFolder(folder("a.jpg", "b/c.jpg", "b.png")).find
    assert find(Path("gone.jpg")) == folder() / "gone.jpg"
    assert find(Path("/abs/f.jpg")) == Path("/abs/f.jpg")
    assert find(tmp_path / "images" / "a") == folder() / "a.jpg"
    # Names that differ in case are two names: those of tweets do.
    assert find(Path("A.jpg")) == folder() / "A.jpg"
    # A folder is taken where nothing else is called so.
    assert find(Path("b")) == folder() / "b.png"


@pytest.mark.parametrize(
    ("name", "said", "reason"),
    [
        ("https://pics.example/media/a.jpg", "https://pics.example/media/a.jpg", "download it"),
        ("HTTP://x.y/a", "HTTP://x.y/a", "is a URL"),
        ("s3://bucket/a.jpg", "s3://bucket/a.jpg", "is a URL"),
        ("file:///tmp/a.jpg", "file:///tmp/a.jpg", "write the path alone"),
        ("C:\\data\\a.jpg", "C:\\data\\a.jpg", "path of Windows"),
        ("D:/data/a.jpg", "D:/data/a.jpg", "path of Windows"),
        ("\\\\server\\a.jpg", "\\\\server\\a.jpg", "path of Windows"),
        ("data:image/png;base64," + "A" * 400, "data:image/png;base64," + "A" * 98 + "…", "itself"),
    ],
)
def test_what_can_be_no_file_here_is_named_as_what_it_is(folder, name, said, reason):
    path = PictureFolder(folder("a.jpg")).find(Path(name))
    assert shown(path) == said
    with pytest.raises(PictureProblem, match=reason) as caught:
        read_picture(path)
    assert caught.value.kind == "missing"
    assert str(caught.value) == f"{said}: {elsewhere(name)}"


@pytest.mark.parametrize("name", ["a.jpg", "a:b.jpg", "sub/a.jpg", "17:06:12", "/a.jpg"])
def test_names_of_files_are_no_urls(name):
    assert not elsewhere(name)


def test_a_folder_is_named_as_one(folder):
    path = PictureFolder(folder("b/c.jpg")).find(Path("b"))
    with pytest.raises(PictureProblem, match="is a folder") as caught:
        read_picture(path)
    assert caught.value.kind == "unreadable"


def test_a_folder_of_very_many_pictures_is_listed_once(tmp_path):
    for number in range(3000):
        (tmp_path / f"{number}.png").touch()
    find = PictureFolder(tmp_path).find
    begin = time.perf_counter()
    assert [find(Path(f"{n}.jpg")).name for n in range(3000)] == [f"{n}.png" for n in range(3000)]
    # 9 million looks would take longer.
    assert time.perf_counter() - begin < 1


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("IMGID:123", "123"),
        ("IMGID: 123", "123"),
        ("imgid:123.jpg ", "123.jpg"),
        ("ImgId : a b.png", "a b.png"),
        ("  IMGID:123", "123"),
        ("\ufeffIMGID:123\u200b", "123\u200b"),
        ("IMGID=123", "123"),
        ("IMGID\uff1a123", "123"),
        ("IMGID:123\tO", "123"),
        ("IMGID:17:06", "17:06"),
        ("IMGID:", ""),
        ("imgid:123\tO", None),
        ("IMGID\tO", None),
        ("IMGIDs:1", None),
        ("#IMGID", None),
    ],
)
def test_lines_that_name_a_picture(line, name):
    assert picture_of(line) == name


def test_every_way_to_name_a_picture_gives_the_same_file(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text("IMGID: 1\na\tO\n\nimgid:1.jpg\na\tO\n\nIMGID:scan.tif\na\tO\n")
    images = [example.images for example in ConllReader().read(path)]
    assert images == [(Path("1.jpg"),), (Path("1.jpg"),), (Path("scan.tif"),)]
