"""Values as people write them: taken where they can mean one thing, else told how to write them."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from annotated_types import Ge

from mmseq.config.config import Config
from mmseq.config.layering import parse_setting
from mmseq.errors import UserError
from mmseq.files import read_toml
from mmseq.registry.meant import meant


@pytest.mark.parametrize(
    ("annotation", "written", "value"),
    [
        (bool, "True", True),
        (bool, "YES", True),
        (bool, " on ", True),
        (bool, "no", False),
        (bool, "Off", False),
        (bool, 1, True),
        (bool, 0, False),
        (float, ".001", 0.001),
        (float, "1.", 1.0),
        (float, "5E-5", 5e-5),
        (int, 3.0, 3),
        (int, "3", 3),
        (int, "03", 3),
        (int, "-2.0", -2),
        (int, "9007199254740993", 9007199254740993),
        (Annotated[int, Ge(1)], "+4", 4),
        (int | Literal["mix"], 2.0, 2),
        (float | None, "None", None),
        (str, 2017, "2017"),
        (str, 1.5, "1.5"),
        (str, True, "true"),
        (Path, 7, "7"),
        (list[str], "a,b", ["a", "b"]),
        (list[str], "[a, b]", ["a", "b"]),
        (list[str], "['a', \"b\"]", ["a", "b"]),
        (list[str], "a", ["a"]),
        (list[int], "1, 2", [1, 2]),
        (list[str], ["a", 1], ["a", "1"]),
        (tuple[int, ...], "4,5", [4, 5]),
        (tuple[int, float], ["4", ".5"], [4, 0.5]),
        (dict[str, float], {"PER": "2.", "LOC": 1.0}, {"PER": 2.0, "LOC": 1.0}),
        (dict[str, int | str], "word=2,tag=-1", {"word": 2, "tag": -1}),
        (dict[str, int | str], "{word = FORM, tag = 3}", {"word": "FORM", "tag": 3}),
        (dict[str, str], '{"tags": "ner_tags"}', {"tags": "ner_tags"}),
        (dict[str, str], "{tags=ner_tags}", {"tags": "ner_tags"}),
        (Literal["no", "fp16"], "FP16", "fp16"),
        (bool, "y", True),
        (bool, "n", False),
        (str, Path("a/b"), "a/b"),
        (list[str], ("a", "b"), ["a", "b"]),
        (int, np.int64(3), 3),
        (float, np.float32(0.5), 0.5),
        (dict[str, float], "PER=2, LOC=.5", {"PER": 2.0, "LOC": 0.5}),
        (dict[str, str], 'tags="ner_tags"', {"tags": "ner_tags"}),
    ],
)
def test_what_can_mean_one_thing_is_taken(annotation, written, value):
    found = meant(annotation, written)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("annotation", "written"),
    [
        (bool, "maybe"),
        (bool, ""),
        (bool, 2),
        (bool, 1.0),
        (int, 2.5),
        (int, True),
        (int, "three"),
        (int, "1e300"),
        (int, ""),
        (float, "0,001"),
        (float, "10%"),
        (float, "NaN"),
        (float, True),
        (dict[str, str], "a"),
        (dict[str, str], "a=b,a=c"),
        (dict[str, str], "a=b=c"),
        (dict[str, str], "{}}"),
        (list[str], "a,,b"),
        (list[str], ""),
        (tuple[int, int], "1,2,3"),
        (dict[str, float], "PER"),
        (Literal["no", "fp16"], "fp8"),
        (Any, "03"),
        (str, None),
    ],
)
def test_what_cannot_is_left_as_it_is(annotation, written):
    assert meant(annotation, written) is written


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("data.path=2017", "2017"),
        ("data.path=007", "007"),
        ("data.path=1_0", "1_0"),
        ("data.path=2024-05-01", "2024-05-01"),
        ("data.path=true", "true"),
        ("data.path=a=b", "a=b"),
        ("data.columns.word=2", 2),
        ("data.fields.tags=ner_tags", "ner_tags"),
        ("data.map.1=2", "2"),
        ("train.epochs=1_0", 10),
        ("train.epochs=1e1", 10),
        ("train.keep_last=yes", True),
        ("data.splits=train,valid", ["train", "valid"]),
        ("text_encoder.model=1", "1"),
        ("text_encoder.layer=-2.0", -2),
        ("decoder.constrain=No", False),
        ("decoder.class_weights.PER=2.", 2.0),
    ],
)
def test_a_setting_is_taken_as_it_is_typed(setting, value):
    key, given = parse_setting(setting)
    found = Config.from_layers(settings={key: given}).tables()
    for part in key.split("."):
        found = found[part]
    assert found == value
    assert isinstance(found, bool) == isinstance(value, bool)


@pytest.mark.parametrize(
    ("setting", "way"),
    [
        ("train.keep_last=maybe", "true or false"),
        ("train.learning_rate=0,001", "Write 0.001"),
        ("train.warmup=10%", "Write 0.1"),
        ("train.init=None", '"" '),
        ("train.init=null", '"" '),
        ("data.splits=", '["a", "b"]'),
        ("fusion.dropout=20%", "Write 0.2"),
        ("data.columns=2", "a=b,c=d"),
        ("train.precision=fp32", "or 'bf16'.$"),
        ("data.splits=train,dev", "or 'test'.$"),
        ("train.epochs=", "^train.epochs: ''"),
        ("train.seed=NaN", "^train.seed: 'NaN'"),
    ],
)
def test_what_cannot_be_taken_says_how_it_is_written(setting, way):
    key, value = parse_setting(setting)
    with pytest.raises(UserError, match=way):
        Config.from_layers(settings={key: value})


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_a_file_is_read_whatever_a_windows_shell_makes_of_it(encoding, tmp_path):
    text = '[data]\r\npath = "Zoë"\r\n'
    for mark in ("", "\ufeff"):
        (tmp_path / "my.toml").write_bytes((mark + text).encode(encoding))
        if not (mark and encoding in ("utf-8-sig", "utf-16", "utf-32")):
            assert read_toml(tmp_path / "my.toml") == {"data": {"path": "Zoë"}}


@pytest.mark.parametrize(
    ("written", "meant_by_it"),
    [
        ("epochs=3", "train.epochs=3"),
        ("scheme=io", "data.scheme=io"),
        ("fusion=gate", "fusion.name=gate"),
        ("dropout=0.1", "fusion.dropout=0.1"),
    ],
)
def test_a_key_without_its_section_is_told_with_it(written, meant_by_it):
    with pytest.raises(UserError, match=f"such as --set {meant_by_it}\\.$"):
        parse_setting(written)


def test_columns_written_as_decimals_stay_numbers():
    found = Config.from_layers(settings={"data.columns": {"word": 1.0, "tag": 2}})

    assert found.data.columns == {"word": 1, "tag": 2}


def test_the_name_of_a_user_that_there_is_not_is_a_folder():
    found = Config.from_layers(settings={"data.path": "~no_such_user_here/data"})

    assert found.data.path == "~no_such_user_here/data"


@pytest.mark.parametrize(
    ("line", "way"),
    [
        ("keep_last = True", "write true"),
        ("keep_last = No", "write false"),
        ("learning_rate = .001", "write 0.001"),
        ("learning_rate = 1.  # a comment", "write 1.0"),
        ("learning_rate = 0,001", "write 0.001"),
        ("epochs = 03", "write 3"),
        ("warmup = 10%", "write 0.1"),
        ("init = None", 'for none leave the line out, or write ""'),
        ("device = cuda:1", 'write "cuda:1"'),
        ("splits = train, valid", 'write ["train", "valid"]'),
        ("splits = [train, valid]", 'write "train"'),
        ("range = { low = .5, high = 1.0 }", "write 0.5"),
        ('path = "C:\\new\\x"', "write 'C:\\new\\x'"),
    ],
)
def test_what_is_no_toml_says_how_it_is_written(line, way, tmp_path):
    (tmp_path / "my.toml").write_text(f"[train]\n{line}\n")
    with pytest.raises(UserError) as caught:
        read_toml(tmp_path / "my.toml")

    assert re.search(r"not valid TOML: .*\(at line 2, column \d+\); ", str(caught.value))
    assert str(caught.value).endswith(f"; {way}.")


def test_a_file_of_another_form_says_what_it_is(tmp_path):
    (tmp_path / "a.toml").write_text('{"train": {"epochs": 3}}')
    with pytest.raises(UserError, match="it is JSON: write a section as "):
        read_toml(tmp_path / "a.toml")
    (tmp_path / "b.toml").write_bytes("[train]\n# für\n".encode("latin-1"))
    with pytest.raises(UserError, match="b.toml: line 2 is not UTF-8; give a TOML"):
        read_toml(tmp_path / "b.toml")
