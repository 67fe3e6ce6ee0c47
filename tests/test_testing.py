"""The contract checks of TOML files, and what all checks have in common."""

import json

import pytest

import mmseq
from mmseq import UserError, list_components
from mmseq.testing import (
    ContractError,
    check_fusion,
    check_plan,
    check_preset,
    check_published,
    tiny_bert,
    tiny_sentences,
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[fusion]\nname = 'gate'\n", "first line: .*comment"),
        ("# Mine\n[fusion]\nname = 'gat'\n", "contents: .*'gate'"),
        ("# Mine\n[fusion]\nname = 'gate'\ndropuot = 0.1\n", "'dropuot'"),
        ("# Mine\n[fusion\n", "contents: "),
        ("# Mine\n[fusions]\n", "contents: .*fusions"),
    ],
)
def test_a_wrong_preset_is_refused(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ContractError, match=message):
        check_preset(path)


def test_wrong_plans_and_figures_are_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("# Mine\npresets = ['nowhere']\n")
    with pytest.raises(ContractError, match="preset 'nowhere'"):
        check_plan(path)
    path.write_text("# Mine\nfigures = []\n[data]\n[sources]\n")
    with pytest.raises(ContractError, match="contents: no figure"):
        check_published(path)


def test_a_class_of_another_kind_and_a_constructor_that_fails_are_told():
    with pytest.raises(ContractError, match=r"mmseq\.Fusion"):
        check_fusion(mmseq.Decoder)

    class Abstract(mmseq.Fusion):
        pass

    with pytest.raises(ContractError, match="constructor: .*TypeError"):
        check_fusion(Abstract)


def test_unknown_names_and_options_are_user_errors():
    with pytest.raises(UserError, match="'concat'"):
        check_fusion("conct")
    with pytest.raises(UserError, match="'widht'.*'width'"):
        check_fusion("concat", widht=3)


def test_components_are_listed_by_distribution_and_kind():
    own = list_components("decoder", distribution="mmseq")
    assert [(e.kind, e.name) for e in own] == [("decoder", "crf"), ("decoder", "softmax")]
    assert list_components(distribution="mmseq-nobody") == []
    with pytest.raises(UserError, match="'fusoin'.*'fusion'"):
        list_components("fusoin")


def test_the_fixtures_are_as_announced():
    pictures = [len(e.images) for e in tiny_sentences()]
    assert {0, 1, 2, 3} == set(pictures)
    assert all(path.is_file() for e in tiny_sentences() for path in e.images)
    tags = [set(e.tags) for e in tiny_sentences()]
    assert {"O"} in tags
    assert any("O" not in t for t in tags)
    assert min(len(e.tokens) for e in tiny_sentences()) == 1
    config = json.loads((tiny_bert() / "config.json").read_text(encoding="utf-8"))
    assert config["hidden_size"] == 32
