import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mmseq
from mmseq.config.config import DataConfig
from mmseq.contracts.example import Example
from mmseq.contracts.reader import Reader
from mmseq.data import folder as lookup
from mmseq.data.folder import suiting_reader
from mmseq.data.source import choose_split
from mmseq.data.splits import (
    load_file,
    load_folder,
    missing_pictures,
    require_split,
    require_tags,
    types_of,
)
from mmseq.data.unknown_types import check_known
from mmseq.errors import ComponentError, UserError
from mmseq.model.field_values import per_word
from mmseq.registry import plugins
from mmseq.registry.entries import Entry
from mmseq.registry.registry import Registry

REAL = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def folder(tmp_path):
    """Write files into a data folder: `folder({"train.txt": "a\\tO\\n"})`."""

    def fill(files):
        place = tmp_path / "tweets"
        for name, content in files.items():
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8", newline="\n")
        return place

    return fill


def tags_of(split):
    return [example.tags for example in split.examples]


def test_splits_of_a_folder_in_order(folder):
    text = "a\tB-PER\n\nb\tO\n"
    data = folder({"test.jsonl": '{"tokens": ["x"]}', "train.txt": text, "dev.conll": "d\tB-X\n"})
    splits = load_folder(data)
    assert list(splits) == ["train", "valid", "test"]
    train = splits["train"]
    assert (train.name, train.path, train.scheme) == ("train", data / "train.txt", "bio")
    assert train.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert tags_of(train) == [("B-PER",), ("O",)]
    assert splits["valid"].path == data / "dev.conll"
    assert splits["test"].scheme == "none"
    assert list(load_folder(data, splits=("test",))) == ["test"]


def test_a_file_is_read_where_it_lies(folder):
    path = folder({"more.bio": "a\tB-PER\n"}) / "more.bio"
    assert load_file(path).name == "more"
    assert load_file(path, name="test").name == "test"


def test_bioes_is_seen_and_converted(folder):
    data = folder({"train.txt": "a\tB-X\nb\tE-X\nc\tS-Y\n", "test.txt": "a\tB-X\nb\tI-X\n"})
    splits = load_folder(data)
    assert (splits["train"].scheme, splits["test"].scheme) == ("bioes", "bio")
    assert tags_of(splits["train"]) == [("B-X", "I-X", "B-Y")]


def test_iob1_is_converted_when_asked_for(folder):
    data = folder({"train.txt": "a\tI-X\nb\tI-X\nc\tB-X\n"})
    assert tags_of(load_folder(data)["train"]) == [("I-X", "I-X", "B-X")]
    iob1 = load_folder(data, scheme="iob1")["train"]
    assert (iob1.scheme, tags_of(iob1)) == ("iob1", [("B-X", "I-X", "B-X")])


@pytest.mark.parametrize("scheme", ["bio", "iob1"])
def test_another_scheme_than_the_user_says(folder, scheme):
    data = folder({"train.txt": "a\tB-X\nb\tE-X\n"})
    with pytest.raises(UserError, match=rf"train\.txt:2: .*'E-X' .*{scheme}"):
        load_folder(data, scheme=scheme)


def test_types_are_mapped_and_dropped(folder):
    data = folder({"train.txt": "a\tB-OTHER\nb\tI-OTHER\nc\tB-DATE\n", "test.txt": "a\tB-PER\n"})
    splits = load_folder(data, mapping={"OTHER": "MISC", "DATE": "O"})
    assert tags_of(splits["train"]) == [("B-MISC", "I-MISC", "O")]
    assert types_of(splits["train"]) == ("MISC",)
    # A type needs to be in one of the splits only.
    assert types_of(load_folder(data, mapping={"PER": "P"})["test"]) == ("P",)


def test_mapping_what_is_not_there(folder):
    data = folder({"train.txt": "a\tB-OTHER\nb\tB-PER\n"})
    with pytest.raises(UserError, match="'OTHR'.*'OTHER'.*OTHER, PER"):
        load_folder(data, mapping={"OTHR": "MISC"})
    with pytest.raises(UserError, match="'PER' .*''"):
        load_folder(data, mapping={"PER": ""})


def test_data_for_a_finished_run_may_lack_a_mapped_type(folder):
    data = folder({"test.txt": "a\tB-MISC\n", "input.txt": "a\nb\n"})
    for split in (
        load_folder(data, mapping={"OTHER": "MISC"})["test"],
        load_file(data / "test.txt", mapping={"OTHER": "MISC"}),
    ):
        assert types_of(split) == ("MISC",)
    assert load_file(data / "input.txt", mapping={"OTHER": "MISC"}).scheme == "none"


def test_pictures_are_looked_up_with_other_endings(folder, tmp_path):
    names = ["a.jpg", "b.PNG", "c.d.webp", "sub/e.gif"]
    wanted = ["a.jpg", "b.jpg", "c.d", "sub/e.jpg", "gone.jpg", "/abs/f.jpg"]
    data = folder(
        {"train.jsonl": json.dumps({"tokens": ["x"], "images": wanted})}
        | {f"images/{name}": "" for name in names}
    )
    (example,) = load_folder(data)["train"].examples
    found = [data / "images" / name for name in names]
    assert list(example.images) == [*found, data / "images" / "gone.jpg", Path("/abs/f.jpg")]
    assert missing_pictures([example]) == [(example, path) for path in example.images[4:]]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "gone.jpeg").touch()
    (example,) = load_folder(data, image_folder=elsewhere)["train"].examples
    assert example.images[4] == elsewhere / "gone.jpeg"
    assert len(missing_pictures([example])) == 5


def test_without_a_picture_folder_every_picture_is_missing(folder):
    (example,) = load_folder(folder({"train.txt": "IMGID:1\na\tO\n"}))["train"].examples
    assert [path for _, path in missing_pictures([example])] == [example.images[0]]


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ({"train.txt": "\n"}, {}, "train.txt: .*no sentence"),
        ({"train.txt": "a\tO", "train.jsonl": ""}, {}, "train.txt and train.jsonl "),
        ({"dev.txt": "a\tO", "valid.txt": "a\tO"}, {}, "valid.txt and dev.txt "),
        (
            {"a.csv": "", "b.csv": ""},
            {},
            "a.csv, b.csv.*train, valid, dev",
        ),
        ({"train.txt": "a\tO"}, {"image_folder": Path("/none/at/all")}, "picture folder /none"),
        ({"train.txt": "a\tO"}, {"reader": "conl"}, "reader 'conl'.*'conll'"),
        ({"train.txt": "a\tO"}, {"reader": "jsonl"}, r"reader 'jsonl' .*train\.txt"),
        ({"train.txt": "a\tO\nb\n"}, {}, "train.txt:2: no tag"),
    ],
)
def test_mistakes_are_one_line(folder, files, options, message):
    with pytest.raises(UserError, match=message) as caught:
        load_folder(folder(files), **options)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_or_not_a_folder(folder):
    data = folder({"train.txt": "a\tO\n"})
    with pytest.raises(UserError, match=r"twets.*tweets\?"):
        load_folder(data.parent / "twets")
    with pytest.raises(UserError, match="exist"):
        load_folder(data.parent / "no" / "such")
    with pytest.raises(UserError, match="file.*folder"):
        load_folder(data / "train.txt")
    with pytest.raises(UserError, match=r"train\.txt\?"):
        load_file(data / "trian.txt")


def test_a_named_reader_reads_any_ending(folder):
    path = folder({"input.csv": "a\tO\n"}) / "input.csv"
    with pytest.raises(UserError, match=r"ending .*\.bio, \.conll"):
        load_file(path)
    assert tags_of(load_file(path, reader="conll")) == [("O",)]


def test_splits_and_tags_that_are_needed(folder):
    data = folder({"test.txt": "a\tO\n", "valid.jsonl": '{"tokens": ["a"]}'})
    splits = load_folder(data)
    assert require_split(splits, "test", data) is splits["test"]
    with pytest.raises(UserError, match=r"split 'train'.*train\.txt, train\.jsonl"):
        require_split(splits, "train", data)
    require_tags(splits["test"])
    with pytest.raises(UserError, match=r"valid\.jsonl:1: .*tags"):
        require_tags(splits["valid"])


def test_a_type_the_run_does_not_know(folder):
    data = folder({"test.txt": "IMGID:1\na\tO\nb\tB-NEW\n", "valid.jsonl": '{"tokens": ["a"]}'})
    splits = load_folder(data)
    check_known(splits["test"], ("O", "B-NEW", "I-NEW"))
    check_known(splits["valid"], ("O",))
    with pytest.raises(UserError) as caught:
        check_known(splits["test"], ("O", "B-PER", "I-PER"))
    assert str(caught.value).startswith(f"{data / 'test.txt'}:3: ")
    assert "'B-NEW' (it knows PER); rename it (`--map NEW=…`)" in str(caught.value)
    assert "(`--map NEW=O`)" in str(caught.value)
    with pytest.raises(UserError) as caught:
        check_known(splits["test"], ("O",))
    assert str(caught.value).endswith(
        "tag 'B-NEW' (its training data have no types); ignore it (`--map NEW=O`)."
    )


def test_words_of_json_lines_are_where_their_sentence_is(folder):
    split = load_file(folder({"a.jsonl": '\n{"tokens": ["a", "b"]}'}) / "a.jsonl")
    assert split.where(split.examples[0], 1) == f"{split.path}:2"


def test_per_word_fields_are_lists_of_numbers():
    extras = {"boxes": [[1, 2.5], [3, 4]], "size": [7, 8]}
    example = Example(("a", "b"), extras=extras)
    assert per_word(example, "boxes") == [[1.0, 2.5], [3.0, 4.0]]
    assert per_word(example, "size") == [[7.0], [8.0]]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "'boxes' .*missing"),
        ([[1, 2]], "'boxes' .*1 .*2 words"),
        ("ab", "'boxes' .*list"),
        ([[1, 2], [3]], r"'boxes', entry 2: \[3\]"),
        ([1, "2"], "'boxes', entry 2: '2'"),
        ([1, True], "entry 2: True"),
        ([1, float("nan")], "entry 2: nan"),
        ([[], []], r"entry 1: \[\]"),
    ],
)
def test_per_word_fields_that_do_not_fit(value, message):
    example = Example(("a", "b"), extras={"boxes": value}, file=Path("train.jsonl"), line=4)
    with pytest.raises(UserError, match=rf"^train.jsonl:4: .*{message}"):
        per_word(example, "boxes")


class TabReader(Reader):
    """A plugin's reader: one word a file."""

    suffixes = (".tab", ".txt")

    def read(self, path):
        yield Example((path.read_text(),), file=path, line=1)


class OtherReader(TabReader):
    """Another one, of the same endings."""


@pytest.fixture
def with_readers(monkeypatch):
    """Register readers of a plugin beside the engine's own."""
    engine = plugins.registry().entries("reader")

    def register(**readers):
        known = Registry()
        for entry in engine:
            known.add(entry)
        for name, target in readers.items():
            known.add(Entry("reader", name, target, "x", "mmseq-x", "1"))
        for module in (plugins, lookup):
            monkeypatch.setattr(module, "registry", lambda: known)

    return register


def test_a_plugin_reads_its_ending_and_changes_nothing_else(folder, with_readers):
    data = folder({"train.txt": "a\tO\n", "train.tab": "x", "test.tab": "whole"})
    with_readers(tab=TabReader)
    splits = load_folder(data)
    assert splits["train"].path.name == "train.txt"
    assert splits["test"].examples[0].tokens == ("whole",)
    assert load_file(data / "train.txt").examples[0].tokens == ("a",)
    assert load_file(data / "train.txt", reader="tab").examples[0].tokens == ("a\tO\n",)


class Empty(TabReader):
    def read(self, path):
        yield Example(("a",), file=path, line=1)
        yield Example((), file=path, line=4)


def test_a_sentence_without_a_word_is_told_with_its_line(folder, with_readers):
    path = folder({"test.tab": "x"}) / "test.tab"
    with_readers(empty=Empty)
    message = rf"^reader 'empty' of mmseq-x 1 on {path}, {path}:4: it has no word\.$"
    with pytest.raises(mmseq.ComponentError, match=message):
        load_file(path)


def test_an_ending_of_two_plugins_and_a_broken_reader_must_be_named(folder, with_readers):
    data = folder({"test.tab": "x"})
    with_readers(one=TabReader, two=OtherReader, broken="mmseq_x.none:Reader")
    rivals = (
        "test.tab: read by the readers 'one' of mmseq-x 1 and 'two' of mmseq-x 1; uninstall one, or"
    )
    with pytest.raises(UserError, match=rivals):
        load_file(data / "test.tab")
    with pytest.raises(UserError, match=rivals):
        load_folder(data)
    assert load_file(data / "test.tab", reader="two").examples[0].tokens == ("x",)
    with pytest.raises(UserError, match="reader 'broken' of mmseq-x 1 .*loaded"):
        load_file(data / "test.tab", reader="broken")


def test_ten_thousand_sentences_load_in_seconds(folder):
    sentence = "IMGID:{}\n" + "word\tO\n" * 18 + "Rome\tB-LOC\nTown\tI-LOC\n\n"
    data = folder({"train.txt": "".join(sentence.format(n) for n in range(10_000))})
    started = time.perf_counter()
    assert len(load_folder(data, mapping={"LOC": "L"})["train"].examples) == 10_000
    assert time.perf_counter() - started < 10


def test_reading_data_needs_no_torch(folder):
    data = folder({"train.txt": "a\tO\n"})
    code = (
        "import sys; from pathlib import Path; import mmseq.scoring.metrics, mmseq.data.splitter\n"
        "from mmseq.datacheck.checking import check_folder; check_folder(Path(sys.argv[1]))\n"
        "print(sorted({'torch', 'transformers', 'timm', 'nltk', 'sklearn'} & set(sys.modules)))"
    )
    environment = {"MMSEQ_LOAD_PLUGINS": ""}
    done = subprocess.run(
        [sys.executable, "-c", code, str(data)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(not (REAL / "twitter2017").is_dir(), reason="needs shared/data/twitter2017")
def test_twitter_2017():
    splits = load_folder(REAL / "twitter2017")
    assert [len(split.examples) for split in splits.values()] == [3373, 723, 723]
    assert types_of(splits["train"]) == ("LOC", "MISC", "ORG", "PER")


@pytest.mark.skipif(not (REAL / "sroie").is_dir(), reason="needs shared/data/sroie")
def test_sroie_has_its_pictures_and_boxes():
    splits = load_folder(REAL / "sroie")
    assert [len(split.examples) for split in splits.values()] == [440, 60, 63]
    for split in splits.values():
        assert missing_pictures(split.examples) == []
        assert all(len(per_word(e, "boxes")) == len(e.tokens) for e in split.examples)


class TaggedReader(TabReader):
    """A line of words, and a line of their tags."""

    def read(self, path):
        words, tags = path.read_text().splitlines()
        yield Example(tuple(words.split()), tuple(tags.split()), file=path, line=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Anna ran\nB-PER X\n", r"test\.tab:1: 'X' .*tag"),
        ("Anna ran\nB-PER\n", r"test\.tab:1: 2 words .*1 tag"),
    ],
)
def test_wrong_tags_of_a_plugins_reader_are_told(folder, with_readers, text, message):
    data = folder({"test.tab": text})
    with_readers(tagged=TaggedReader)
    with pytest.raises(UserError, match=message):
        load_file(data / "test.tab")


@pytest.mark.parametrize("suffixes", [None, ".csv", ("csv",), ()])
def test_a_reader_with_wrong_suffixes_hinders_nobody_and_is_told_where_named(
    folder, with_readers, suffixes
):
    class Wrong(TabReader):
        pass

    Wrong.suffixes = suffixes
    if suffixes is None:
        del Wrong.suffixes
        Wrong.__bases__ = (Reader,)
    data = folder({"train.tab": "x"})
    with_readers(tab=TabReader, wrong=Wrong)
    assert load_folder(data)["train"].examples[0].tokens == ("x",)
    with pytest.raises(UserError, match=f"reader 'wrong' of mmseq-x 1: .*{suffixes}"):
        load_folder(data, reader="wrong")


class FaultyReader(TabReader):
    """Two words, then what the file says."""

    def read(self, path):
        fault = path.read_text(encoding="utf-8")
        yield Example(("all", "well"), file=path, line=7)
        if fault == "raise":
            raise KeyError("column")
        if fault == "denied":
            raise PermissionError(13, "Permission denied")
        yield {
            "mapping": {"tokens": ("a",)},
            "list": Example(["a"]),
            "name": Example(("a",), images=("a.jpg",)),
            "nameless": Example(("a",), images=(Path(""),)),
            "tags": Example(("a",), ("B-PER", None)),
            "empty": Example(()),
        }[fault]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("raise", "after line 7: KeyError: 'column'"),
        ("mapping", "after line 7: .*dict, .*mmseq.Example"),
        ("list", r"after line 7: tokens .*\['a'\].*tuple of str"),
        ("name", r"after line 7: images .*\('a.jpg',\).*tuple of Path"),
        ("tags", r"after line 7: tags .*\('B-PER', None\).*tuple of str"),
        ("nameless", "after line 7: .*picture.*empty"),
        ("empty", "after line 7: .*no word"),
    ],
)
def test_a_readers_fault_is_told_with_its_name_and_place(folder, with_readers, fault, told):
    path = folder({"test.tab": fault}) / "test.tab"
    with_readers(faulty=FaultyReader)
    with pytest.raises(ComponentError, match=f"^reader 'faulty' of mmseq-x 1 on {path}.* {told}"):
        load_file(path)


def test_a_file_that_a_reader_cannot_open_or_decode_is_told_by_the_engine(folder, with_readers):
    path = folder({"test.tab": "denied"}) / "test.tab"
    with_readers(faulty=FaultyReader)
    with pytest.raises(UserError, match=r"test\.tab: .*Permission denied"):
        load_file(path)
    path.write_bytes("café".encode("latin-1"))
    with pytest.raises(UserError, match=r"test\.tab: .*UTF-8 .*0xe9"):
        load_file(path)


def test_a_folder_whose_reader_is_not_installed_is_told_so(folder):
    data = folder({"train.csv": "a,O\n"})
    with pytest.raises(UserError, match=r"train\.csv .*plugin"):
        load_folder(data)


def test_a_runs_reader_reads_further_data_where_it_can(folder, with_readers):
    with_readers(one=TabReader, two=OtherReader)
    data = folder({"test.tab": "x", "valid.jsonl": '{"tokens": ["a"]}\n'})
    assert suiting_reader(data / "test.tab", "test", "two") == "two"
    assert suiting_reader(data / "valid.jsonl", "valid", "two") == "auto"
    assert suiting_reader(data, "test", "two") == "two"
    assert suiting_reader(data, "valid", "two") == "auto"
    assert suiting_reader(data, "test", "auto") == "auto"
    found = choose_split(DataConfig(reader="two"), "test", data / "test.tab")
    assert found.examples[0].tokens == ("x",)
