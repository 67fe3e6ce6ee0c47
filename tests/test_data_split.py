"""`mmseq data split`: one file of sentences divided into splits and folds."""

import json
from itertools import product
from random import Random

import pytest
from PIL import Image

from mmseq.data.partition.groups import groups_of
from mmseq.data.partition.shares import deal, parse_shares
from mmseq.data.splits import load_folder
from mmseq.errors import UserError


def line(words, images=(), **more):
    tags = ["B-PER", *["O"] * (len(words) - 1)]
    return json.dumps({"tokens": words, "tags": tags, "images": list(images), **more}) + "\n"


def tokens_of(folder, split):
    lines = (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [tuple(json.loads(text)["tokens"]) for text in lines]


@pytest.fixture
def annotated(tmp_path):
    """20 sentences: 0 to 3 share a picture by name or content, 4 and 5 the words, the rest none."""
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (20, 20), "red").save(images / "a.png")
    (images / "b.png").write_bytes((images / "a.png").read_bytes())
    Image.new("RGB", (20, 20), "blue").save(images / "c.png")
    pictures = {0: ["a.png"], 1: ["a.png", "c.png"], 2: ["b.png"], 3: ["c.png"], 6: ["gone.png"]}
    file = tmp_path / "all.jsonl"
    file.write_text(
        "".join(
            line([f"w{4 if number == 5 else number}", "went"], pictures.get(number, ()))
            for number in range(20)
        ),
        encoding="utf-8",
    )
    return file


def test_groups_are_chains_of_equal_words_pictures_and_fields(annotated):
    split = load_folder_file(annotated)
    groups = groups_of(split.examples)
    assert groups == [[0, 1, 2, 3], [4, 5], *[[n] for n in range(6, 20)]]


def load_folder_file(file):
    from mmseq.data.splits import load_file

    return load_file(file)


def test_shares_are_met_and_what_belongs_together_stays(annotated, tmp_path, run_cli):
    out = tmp_path / "out"
    done = run_cli("data", "split", annotated, "--output", out, "--shares", "60,20,20")
    assert done.code == 0
    splits = load_folder(out)
    assert {name: len(split.examples) for name, split in splits.items()} == {
        "train": 12,
        "valid": 4,
        "test": 4,
    }
    every = [w for name in splits for w in tokens_of(out, name)]
    assert sorted(every) == sorted(tokens_of(annotated.parent, "all"))
    where = {w: name for name in splits for w in tokens_of(out, name)}
    assert len({where[f"w{n}", "went"] for n in (0, 1, 2, 3)}) == 1
    assert "16 groups" in done.out
    assert "the largest has 4" in done.out


def test_the_output_trains_and_the_pictures_outlive_the_source(annotated, tmp_path, run_cli):
    out = tmp_path / "out"
    run_cli("data", "split", annotated, "--output", out)
    for path in (annotated.parent / "images").iterdir():
        path.unlink()
    mentioned = [i for s in load_folder(out).values() for e in s.examples for i in e.images]
    assert sorted(path.name for path in mentioned if path.is_file()) == [
        "a.png",
        "a.png",
        "b.png",
        "c.png",
        "c.png",
    ]
    assert [path.name for path in mentioned if not path.is_file()] == ["gone.png"]
    assert not any(path.is_absolute() for path in (out / "images").rglob("*") if path.is_symlink())


def test_equal_seeds_give_equal_files_and_others_do_not(annotated, tmp_path, run_cli):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        run_cli("data", "split", annotated, "--output", tmp_path / name, "--seed", seed)
    a, b, c = (tokens_of(tmp_path / name, "test") for name in "abc")
    assert a == b
    assert a != c


def test_every_sentence_is_tested_in_one_fold_and_chosen_by_in_one(annotated, tmp_path, run_cli):
    out = tmp_path / "out"
    done = run_cli("data", "split", annotated, "--output", out, "--folds", "4")
    assert done.code == 0
    folds = [out / f"fold-{k}" for k in range(1, 5)]
    everything = sorted(tokens_of(annotated.parent, "all"))
    for split in ("test", "valid"):
        assert sorted(w for fold in folds for w in tokens_of(fold, split)) == everything
    for fold in folds:
        parts = [tokens_of(fold, split) for split in ("train", "valid", "test")]
        assert [len(part) for part in parts] == [10, 5, 5]
        assert sorted(sum(parts, [])) == everything


def test_two_folds_have_no_validation_split(annotated, tmp_path, run_cli):
    run_cli("data", "split", annotated, "--output", tmp_path / "out", "--folds", "2")
    names = sorted(path.name for path in (tmp_path / "out" / "fold-1").glob("*.jsonl"))
    assert names == ["test.jsonl", "train.jsonl"]


def test_sentences_of_one_document_or_field_stay_together(tmp_path, run_cli):
    file = tmp_path / "d.jsonl"
    file.write_text(
        "".join(line([f"w{n}"], document=n // 5, author=n % 2) for n in range(20)), encoding="utf-8"
    )
    run_cli("data", "split", file, "--output", tmp_path / "out", "--shares", "50,25,25")
    for split, count in (("train", 10), ("valid", 5), ("test", 5)):
        records = (tmp_path / "out" / f"{split}.jsonl").read_text().splitlines()
        assert len(records) == count
        assert len({json.loads(r)["document"] for r in records}) == count // 5
    together = run_cli(
        "data", "split", file, "--output", tmp_path / "b", "--together", "author", "--folds", "2"
    )
    assert together.code == 2
    assert "1 groups" in together.err
    wrong = run_cli("data", "split", file, "--output", tmp_path / "c", "--together", "autor")
    assert "Did you mean 'author'?" in wrong.err


def test_open_words_further_fields_and_files_without_tags_come_back(tmp_path, run_cli):
    file = tmp_path / "d.jsonl"
    lines = [
        '{"id": "x", "tokens": ["a", "b"], "tags": ["B-X", null], "images": [], "line": 7}\n',
        '{"id": "y", "tokens": ["c"], "tags": ["O"], "images": ["\\u00e4/\\u00f6.png"]}\n',
    ]
    file.write_text("".join(lines), encoding="utf-8")
    assert run_cli("data", "split", file, "--output", tmp_path / "o", "--shares", "1,0,1").code == 0
    found = [json.loads((tmp_path / "o" / f"{s}.jsonl").read_text()) for s in ("train", "test")]
    assert sorted(found, key=lambda r: r["id"]) == [json.loads(text) for text in lines]


def test_the_folder_is_new_or_the_command_leaves_everything_as_it_was(annotated, tmp_path, run_cli):
    full = tmp_path / "full"
    full.mkdir()
    (full / "x").touch()
    before = sorted(tmp_path.rglob("*"))
    refused = run_cli("data", "split", annotated, "--output", full)
    assert refused.code == 2
    assert refused.err.splitlines() == [
        f"Error: --output {full}: exists and is not empty; give the name of a new one."
    ]
    few = run_cli("data", "split", annotated, "--output", tmp_path / "new", "--folds", "17")
    assert few.code == 2
    assert "16 groups" in few.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("text", ["80,20", "a,b,c", "0,50,50", "1,0,0", "50,-1,51", "nan,1,1", ""])
def test_shares_that_are_none_are_refused(text):
    with pytest.raises(UserError):
        parse_shares(text)


def test_a_picture_that_all_share_is_said_to_stand_against_the_shares(tmp_path, run_cli):
    file = tmp_path / "d.jsonl"
    file.write_text("".join(line([f"w{n}"], ["none.jpg"] * (n < 19)) for n in range(22)))
    done = run_cli("data", "split", file, "--output", tmp_path / "o", "--shares", "50,25,25")
    assert "larger than the largest share" in done.out


def test_parts_are_as_near_to_their_shares_as_trying_everything_finds():
    """Small cases, all ways to deal them out counted: seldom worse, and then by little."""
    rng, worse = Random(0), 0
    for case in range(60):
        sizes = [rng.choice([1, 1, 2, 3, 5, 8]) for _ in range(7)]
        shares = rng.choice([(8, 1, 1), (6, 2, 2), (1, 1, 1)])
        targets = [share / sum(shares) * sum(sizes) for share in shares]

        def distance(parts, sizes=sizes, targets=targets):
            held = [sum(s for s, p in zip(sizes, parts, strict=True) if p == i) for i in range(3)]
            return sum((h - t) ** 2 for h, t in zip(held, targets, strict=True))

        best = min(distance(parts) for parts in product(range(3), repeat=7) if len(set(parts)) == 3)
        own = deal(sizes, shares, seed=case)
        assert set(own) == {0, 1, 2}
        worse += distance(own) > best + 1e-6
    assert worse <= 6


def test_with_single_sentences_shares_are_exact():
    sizes = [40, 7, 3, *[1] * 150]
    held = [0, 0, 0]
    for size, part in zip(sizes, deal(sizes, (70, 10, 20), seed=1), strict=True):
        held[part] += size
    assert held == [140, 20, 40]


def test_what_a_message_says_of_columns_schemes_and_fields_can_be_said_here(tmp_path, run_cli):
    (tmp_path / "a.txt").write_text(
        "1\tAnna\tPER\n2\tran\tO\n\n1\tin\tO\n2\tOslo\tLOC\n\n1\tso\tO\n2\twhat\tO\n"
    )
    asked = ("data", "split", tmp_path / "a.txt", "--output", tmp_path / "out", "--shares", "1,1,1")
    told = run_cli(*asked)
    assert told.code == 2
    assert "--columns word=2,tag=-1" in told.err
    assert "--scheme" in run_cli(*asked, "--columns", "word=2,tag=-1").err
    assert run_cli(*asked, "--columns", "word=2,tag=-1", "--scheme", "io").code == 0
    found = load_folder(tmp_path / "out")
    assert sorted((e.tokens, e.tags) for s in found.values() for e in s.examples) == [
        (("Anna", "ran"), ("B-PER", "O")),
        (("in", "Oslo"), ("O", "B-LOC")),
        (("so", "what"), ("O", "O")),
    ]
    (tmp_path / "b.jsonl").write_text(
        "".join(f'{{"words": ["{w}"], "mine": [{n}]}}\n' for n, w in enumerate(("is", "Bo")))
    )
    asked = ("data", "split", tmp_path / "b.jsonl", "--output", tmp_path / "b", "--shares", "1,0,1")
    done = run_cli(*asked, "--fields", "tags=mine", "--tag-names", "O,B-PER")
    assert done.code == 0
    assert "field 'words' is read as 'tokens'" in done.err
    found = load_folder(tmp_path / "b")
    pairs = {e.tokens + (e.tags or ()) for s in found.values() for e in s.examples}
    assert pairs == {("is", "O"), ("Bo", "B-PER")}


def test_names_of_which_the_reader_is_not_told_are_refused(tmp_path, run_cli):
    (tmp_path / "a.txt").write_text("a\tO\n\nb\tO\n")
    said = ("--fields", "tags=x")
    split = run_cli("data", "split", tmp_path / "a.txt", "--output", tmp_path / "out", *said)
    for done in (split, run_cli("data", "show", tmp_path / "a.txt", *said)):
        assert done.code == 2
        assert "has no fields to name; leave out data.fields, --fields" in done.err
