"""`mmseq show train` and `show data`: every setting with its values, default and text."""

import json

import pytest

from mmseq.config.config import DataConfig, TrainConfig
from mmseq.config.sections import settings_of


@pytest.mark.parametrize(("section", "model"), [("data", DataConfig), ("train", TrainConfig)])
def test_every_setting_is_told_with_its_text(section, model, run_cli):
    told = run_cli("show", section)
    assert told.code == 0, told.err
    for setting in settings_of(section):
        assert setting.text, setting.key
        assert setting.key in told.out
        assert setting.text[:30] in told.out
    assert [s.key for s in settings_of(section)] == [f"{section}.{k}" for k in model.model_fields]
    found = json.loads(run_cli("show", section, "--json").out)
    assert list(found) == [s.key for s in settings_of(section)]


def test_values_are_told_as_they_are_written():
    values = {s.key: (s.values, s.default) for s in settings_of("train")}
    assert values["train.batch_size"] == ("int, at least 1 and at most 1,000,000,000", 32)
    assert values["train.warmup"] == ("float, at least 0 and below 1", 0.1)
    assert values["train.device"] == ("auto, cpu, cuda, cuda:N or mps", "auto")
    assert values["train.epochs"] == ("int or 'auto'", "auto")


def test_a_section_has_no_components(run_cli):
    told = run_cli("show", "train", "epochs")
    assert told.code == 2
    assert "mmseq show train" in told.err


def test_a_misspelt_section_and_a_single_setting_are_told_what_to_write(run_cli):
    assert "Did you mean 'train'?" in run_cli("show", "trian").err
    one = run_cli("show", "train.epochs")
    assert one.code == 2
    assert "mmseq show train explains it" in one.err
