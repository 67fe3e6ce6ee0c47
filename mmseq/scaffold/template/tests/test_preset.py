from mmseq import Config
from mmseq.testing import check_preset


def test_it_keeps_the_contract():
    check_preset("example")


def test_a_setting_of_the_preset_can_be_changed():
    config = Config.from_preset("example", {"train.batch_size": 4})
    assert config.train.batch_size == 4
    assert config.train.learning_rate == 1e-3
