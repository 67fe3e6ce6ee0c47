"""Nothing that is loaded runs code of its own: what is passed to transformers and timm."""

import ast
import io
import json
from pathlib import Path

import pytest
import timm

from mmseq.builtins.images.timm import TimmEncoder
from mmseq.builtins.text.transformer import TransformerEncoder
from mmseq.contracts.states import Sizes
from mmseq.errors import UserError

ROOT = Path(__file__).parents[1]
SIZES = Sizes(("O",))
CODE = """
from pathlib import Path
from transformers import BertConfig, BertModel
Path(MARK).write_text("run")
"""


def calls_without_refusal(source):
    """Lines of from_pretrained and from_config calls without ``trust_remote_code=False``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            named = {k.arg: k.value for k in node.keywords}.get("trust_remote_code")
            refused = isinstance(named, ast.Constant) and named.value is False
            if node.func.attr in {"from_pretrained", "from_config"} and not refused:
                yield node.lineno


def test_a_call_without_refusal_is_found():
    source = (
        "A.from_pretrained(x)\n"
        "A.from_config(c, trust_remote_code=True)\n"
        "A.from_config(c, trust_remote_code=False)\n"
        "A.from_pretrained(x, **options)\n"
    )
    assert list(calls_without_refusal(source)) == [1, 2, 4]


def test_every_call_that_could_load_code_refuses_it():
    files = [*(ROOT / "mmseq").rglob("*.py"), *(ROOT / "plugins").glob("*/mmseq_*/**/*.py")]
    found = {
        f"{path.relative_to(ROOT)}:{line}"
        for path in files
        for line in calls_without_refusal(path.read_text(encoding="utf-8"))
    }
    assert len(files) > 100
    assert found == set()


def plant(folder, mark):
    """Make the encoder in `folder` one that needs code which lies beside it."""
    facts = json.loads((folder / "config.json").read_text())
    auto = {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}
    (folder / "config.json").write_text(
        json.dumps({**facts, "model_type": "unheard-of", "auto_map": auto})
    )
    (folder / "own.py").write_text(CODE.replace("MARK", repr(str(mark))))


@pytest.mark.parametrize("answer", ["y\n", "1\n"])
def test_an_encoder_with_code_of_its_own_asks_nothing_and_runs_nothing(
    answer, tiny_encoder, tmp_path, monkeypatch
):
    encoder = TransformerEncoder(SIZES, model=str(tiny_encoder))
    encoder.save_assets(tmp_path)
    plant(tmp_path, tmp_path / "mark")
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    with pytest.raises(UserError, match="cannot be loaded"):
        TransformerEncoder(SIZES, model=str(tmp_path))
    with pytest.raises(ValueError, match="auto_map"):
        TransformerEncoder(SIZES, assets=tmp_path)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"model_type": "timm_wrapper", "architecture": "test_vit", "model_args": {}}, "timm"),
        ({"model_type": "dpt", "backbone": "resnet18"}, "dpt"),
        ({"attn_implementation": "someone/attention"}, "someone/attention"),
        (
            {
                "model_type": "clip",
                "text_config": {"model_type": "clip_text_model", "attn_implementation": "a/b"},
            },
            "a/b",
        ),
        (
            {
                "model_type": "t5gemma2",
                "is_encoder_decoder": True,
                "encoder": {"model_type": "x", "vision_config": {"model_type": "timm_wrapper"}},
                "decoder": {"model_type": "y"},
            },
            "vision_config",
        ),
    ],
)
def test_a_text_encoder_names_no_model_of_timm_and_no_kernel_of_the_hub(
    changes, word, tiny_encoder, tmp_path, monkeypatch
):
    TransformerEncoder(SIZES, model=str(tiny_encoder)).save_assets(tmp_path)
    facts = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**facts, **changes}))
    built = []
    monkeypatch.setattr(timm, "create_model", lambda *a, **k: built.append(k))
    with pytest.raises(UserError, match=word):
        TransformerEncoder(SIZES, model=str(tmp_path))
    with pytest.raises(ValueError, match=word):
        TransformerEncoder(SIZES, assets=tmp_path)
    assert built == []


def description_of(folder, **changes):
    """`folder` with the timm.json of a small run, changed."""
    TimmEncoder(SIZES, model="test_vit", weights="random").save_assets(folder)
    facts = json.loads((folder / "timm.json").read_text())
    (folder / "timm.json").write_text(json.dumps({**facts, **changes}))
    return folder


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"checkpoint_path": "evil.pth"}, "checkpoint_path"),
        ({"pretrained": True}, "pretrained"),
        ({"pretrained_cfg": {"file": "evil.pth"}}, "pretrained_cfg"),
        ({"cache_dir": "/tmp"}, "cache_dir"),
        ({"act_layer": {"file": "evil.pth"}}, "act_layer"),
        ({"depth": [[2]]}, "depth"),
    ],
)
def test_timm_gets_no_argument_from_a_run_but_sizes_and_names(
    arguments, word, tmp_path, monkeypatch
):
    folder = description_of(tmp_path, arguments=arguments)
    built = []
    monkeypatch.setattr(timm, "create_model", lambda *a, **k: built.append(k))
    with pytest.raises(ValueError, match=word):
        TimmEncoder(SIZES, assets=folder)
    assert built == []


@pytest.mark.parametrize("name", ["hf-hub:someone/model", "local-dir:.", "no_such_model"])
def test_the_architecture_of_a_run_is_one_of_timm_itself(name, tmp_path):
    with pytest.raises(ValueError, match=name):
        TimmEncoder(SIZES, assets=description_of(tmp_path, architecture=name))


def test_a_transform_of_a_run_has_known_keys_alone(tmp_path):
    facts = json.loads((description_of(tmp_path) / "timm.json").read_text())
    folder = description_of(tmp_path, data={**facts["data"], "tf_preprocessing": True})
    with pytest.raises(ValueError, match="tf_preprocessing"):
        TimmEncoder(SIZES, assets=folder)


def test_sizes_of_a_model_made_of_a_config_file_come_back(tmp_path):
    folder = description_of(tmp_path, arguments={"depth": 2, "act_layer": "gelu"})
    assert len(TimmEncoder(SIZES, assets=folder).model.blocks) == 2
