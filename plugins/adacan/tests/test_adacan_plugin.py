import pytest

import mmseq


@pytest.mark.parametrize("text_only", ["cnn-bilstm-crf", "bert-crf"])
def test_a_preset_is_its_text_only_system_with_the_fusion(text_only):
    bare = mmseq.Config.from_preset(text_only).tables()
    whole = mmseq.Config.from_preset(f"adacan-{text_only}").tables()
    for section in ("text_encoder", "decoder", "train"):
        assert whole[section] == bare[section]
    assert whole["fusion"]["name"] == "adacan"
    assert (whole["fusion"]["attention"], whole["fusion"]["join"]) == (200, "concatenate")
    images = whole["image_encoder"]
    assert (images["name"], images["model"], images["train"]) == ("timm", "vgg16", "frozen")
    assert whole["aux"] == {}
