"""Sentences of large files kept on disk: the same as in memory, made once, whole or not at all."""

import errno
import json
import os
import shutil
import stat

import pytest
import torch
from safetensors.torch import load_file as load_tensors

import mmseq
from mmseq.config.config import Config, DataConfig
from mmseq.console import Reporter
from mmseq.contracts.example import Example
from mmseq.data import reading
from mmseq.data.sentences import Facts
from mmseq.data.source import load_data
from mmseq.data.splits import load_file, load_folder
from mmseq.data.store import NUMBERS, ExampleStore, StoredExamples
from mmseq.errors import UserError

CONLL = (
    "IMGID:one\nAnna\tB-PER\nLee\tI-PER\nran\tO\n\n"
    "IMGID:two\nIMGID:three\nin\tO\nNew\tB-LOC\nYork\tI-LOC\n\nnothing\tO\n"
)
JSONL = (
    '{"id": "a", "tokens": ["Ann\\u00e9", "ran"], "tags": ["S-PER", "O"], "images": ["1.jpg"]}\n'
    "\n"
    '{"tokens": ["New", "York"], "tags": ["B-LOC", "E-LOC"], "boxes": [[0, 1.5], [2, 3]]}\n'
)
FILES = {"train.txt": CONLL, "train.jsonl": JSONL}


@pytest.fixture
def store(tmp_path):
    return ExampleStore(tmp_path / "store", least=0)


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("name", "text"), FILES.items(), ids=FILES)
def test_sentences_on_disk_are_those_in_memory(tmp_path, store, name, text):
    path = written(tmp_path, name, text)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "one.png").touch()
    kept, held = load_file(path, store=store), load_file(path)
    assert isinstance(kept.examples, StoredExamples)
    assert list(kept.examples) == held.examples
    assert kept.examples[-1] == held.examples[-1]
    assert kept.examples[:2] == held.examples[:2]
    assert (kept.scheme, kept.sha256, kept.facts) == (held.scheme, held.sha256, held.facts)
    assert list(kept.examples.lengths) == [len(e.tokens) for e in held.examples]
    for beyond in (len(kept.examples), -len(kept.examples) - 1):
        with pytest.raises(IndexError):
            kept.examples[beyond]


def test_facts_by_hand(tmp_path, store):
    expected = Facts(3, 2, 2, ("B-LOC", "B-PER", "I-LOC", "I-PER", "O"), None)
    assert load_file(written(tmp_path, "a.txt", CONLL), store=store).facts == expected
    untagged = '{"tokens": ["a"], "tags": ["O"]}\n{"tokens": ["b"]}\n{"tokens": ["c"]}\n'
    path = written(tmp_path, "b.jsonl", untagged)
    assert load_file(path, store=store).facts == Facts(3, 0, 0, ("O",), 1)


def test_the_file_is_read_once_for_each_content_and_scheme(tmp_path, store, monkeypatch):
    path = written(tmp_path, "train.txt", CONLL)
    told = []
    store = ExampleStore(store.root, least=0, tell=told.append)
    load_file(path, store=store)
    assert told == [f"{path}: making its sentences ready on disk (once) …"]

    def reads(*arguments):
        raise AssertionError("it is read again")

    with monkeypatch.context() as patch:
        patch.setattr(reading, "read_examples", reads)
        assert load_file(path, store=store).examples[0].tokens == ("Anna", "Lee", "ran")
        for other in ({"scheme": "iob1"}, {"reader": "conll", "scheme": "bioes"}):
            with pytest.raises(AssertionError, match="read again"):
                load_file(path, store=store, **other)
    path.write_text(CONLL.replace("Anna", "Otto"))
    assert load_file(path, store=store).examples[0].tokens[0] == "Otto"
    assert len(told) == 2


@pytest.mark.parametrize("name", ["sentences.jsonl", *NUMBERS, "facts.json"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_what_is_damaged_is_made_again(tmp_path, store, name, damage):
    path = written(tmp_path, "train.txt", CONLL)
    first = load_file(path, store=store).examples
    broken = first.folder / name
    broken.write_bytes(broken.read_bytes()[:-4])
    if damage == "gone":
        broken.unlink()
    assert list(load_file(path, store=store).examples) == load_file(path).examples
    assert [folder.name for folder in store.root.iterdir()] == [first.folder.name]


@pytest.mark.parametrize("name", [*NUMBERS, "facts.json"])
def test_one_wrong_bit_in_what_goes_with_them_makes_them_anew(tmp_path, store, name):
    path = written(tmp_path, "train.txt", CONLL)
    broken = load_file(path, store=store).examples.folder / name
    right = broken.read_bytes()
    for place in range(len(right)):
        broken.write_bytes(right[:place] + bytes([right[place] ^ 1]) + right[place + 1 :])
        assert list(load_file(path, store=store).examples) == load_file(path).examples, place
    assert broken.read_bytes() == right


def test_one_wrong_bit_in_a_sentence_names_the_file_and_the_remedy(tmp_path, store):
    """A tag that has become another one would be trained as if it were the user's."""
    examples = load_file(written(tmp_path, "train.txt", CONLL), store=store).examples
    path, right = examples.folder / "sentences.jsonl", examples[0]
    content = bytearray(path.read_bytes())
    place = content.index(b"B-LOC")
    # In place: the file is mapped.
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"I")
    assert examples[0] == right
    with pytest.raises(UserError) as caught:
        examples[1]
    assert str(caught.value).startswith(f"{path}: sentence 2 is damaged")
    assert f"delete the folder {examples.folder}" in str(caught.value)


def test_several_processes_make_one_store(tmp_path, monkeypatch):
    """Whoever comes second finds it made, whatever the system calls that; a whole one stays."""
    path = written(tmp_path, "train.txt", CONLL)
    for number in (errno.EEXIST, errno.ENOTEMPTY):
        own = ExampleStore(tmp_path / f"store-{number}", least=0)
        made = load_file(path, store=own).examples.folder
        marks = {file.name: file.stat().st_ino for file in made.iterdir()}

        def occupied(source, target, number=number):
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(os, "rename", occupied)
            own.write(made, path, load_file(path).examples, "bio")
        assert {file.name: file.stat().st_ino for file in made.iterdir()} == marks
        assert list(own.root.iterdir()) == [made]


def test_a_store_that_others_may_read_can_be_shared(tmp_path, store):
    path = written(tmp_path, "train.txt", CONLL)
    before = os.umask(0o022)
    try:
        folder = load_file(path, store=store).examples.folder
        assert stat.S_IMODE(folder.stat().st_mode) == 0o755
        assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o644}
        shutil.rmtree(folder)
        os.umask(0o077)
        folder = load_file(path, store=store).examples.folder
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    finally:
        os.umask(before)


def test_a_folder_of_the_first_format_is_made_anew(tmp_path, store):
    path = written(tmp_path, "train.txt", CONLL)
    folder = load_file(path, store=store).examples.folder
    (folder / "sums.u32").unlink()
    facts = json.loads((folder / "facts.json").read_text())["facts"]
    (folder / "facts.json").write_text(json.dumps(facts))
    assert list(load_file(path, store=store).examples) == load_file(path).examples
    assert (folder / "sums.u32").is_file()


def test_types_are_renamed_as_in_memory(tmp_path, store):
    written(tmp_path, "train.txt", CONLL)
    for mapping in ({"PER": "O"}, {"PER": "LOC"}):
        kept = load_folder(tmp_path, mapping=mapping, store=store)["train"]
        held = load_folder(tmp_path, mapping=mapping)["train"]
        assert isinstance(kept.examples, StoredExamples)
        assert list(kept.examples) == held.examples
        assert kept.facts == held.facts
    with pytest.raises(UserError, match="'PRE'.*'PER'"):
        load_folder(tmp_path, mapping={"PRE": "LOC"}, store=store)


def test_small_files_stay_in_memory(tmp_path):
    path = written(tmp_path, "train.txt", CONLL)
    size = path.stat().st_size
    for least, kind in ((size, StoredExamples), (size + 1, list)):
        store = ExampleStore(tmp_path / str(least), least=least)
        assert isinstance(load_file(path, store=store).examples, kind)
        assert store.root.exists() == (kind is StoredExamples)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Anna\tB-PER\nran\n", "a.txt:2: no tag"),
        ("", "a.txt: .*no sentence"),
        ("\n\n", "a.txt: .*no sentence"),
    ],
)
def test_a_file_that_cannot_be_used_leaves_nothing(tmp_path, store, text, message):
    path = written(tmp_path, "a.txt", text)
    with pytest.raises(UserError, match=message):
        load_file(path, store=store)
    assert not store.root.exists() or not list(store.root.iterdir())


def test_what_is_no_json_is_told_with_its_line(tmp_path, store):
    example = Example(("a",), ("O",), extras={"seen": {1, 2}}, line=7)
    with pytest.raises(UserError, match=r"a\.csv:7: .*data\.cache = 'off'"):
        store.write(store.root / "x", tmp_path / "a.csv", [example], "bio")
    assert not list(store.root.iterdir())


def test_a_folder_that_cannot_be_written_is_told_and_left_out(tmp_path):
    path, told = written(tmp_path, "train.txt", CONLL), []
    store = ExampleStore(path / "inside", least=0, tell=told.append)
    split = load_file(path, store=store)
    assert split.examples == load_file(path).examples
    assert len(told) == 2
    assert told[1].startswith(f"Cannot keep the sentences of {path} in {path / 'inside'}: Not a ")
    assert told[1].endswith("name another folder (data.cache). Until then they stay in memory.")


def test_training_on_sentences_from_disk_is_the_same_to_the_bit(
    tiny_encoder, tiny_data, tmp_path, run_cli
):
    runs, metrics = {}, {}
    for name, cache in {"memory": "off", "disk": str(tmp_path / "kept")}.items():
        config = Config.from_layers(
            flags={
                "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
                "fusion": {"name": "none"},
            },
            settings={
                "data.path": str(tiny_data),
                "data.cache": cache,
                "train.epochs": 2,
                "train.device": "cpu",
            },
        )
        run = mmseq.train(config, output=tmp_path / name, reporter=Reporter(quiet=True))
        runs[name] = load_tensors(run / "model.safetensors")
        metrics[name] = json.loads((run / "metrics.json").read_text())
        predicted = (run / "predictions" / "test.jsonl").read_bytes()
        metrics[name]["predictions"] = predicted
    assert len(list((tmp_path / "kept").iterdir())) == 3
    assert runs["memory"].keys() == runs["disk"].keys()
    for name, tensor in runs["memory"].items():
        assert torch.equal(tensor, runs["disk"][name]), name
    assert metrics["memory"] == metrics["disk"]
    # Evaluation from the command line reads the same store.
    result = run_cli("evaluate", tmp_path / "disk", "--json")
    assert json.loads(result.out)["test"]["f1"] == metrics["memory"]["test"]["f1"]
    shutil.rmtree(tmp_path / "kept")
    assert run_cli("evaluate", tmp_path / "disk", "--json").code == 0


def test_an_empty_folder_for_them_is_a_users_error(tmp_path):
    with pytest.raises(UserError, match=r"data\.cache .*empty"):
        load_data(DataConfig(path=str(tmp_path), cache=""), ["train"])
