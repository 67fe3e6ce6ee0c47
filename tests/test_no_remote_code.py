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


FORBIDDEN = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml"}
"""Modules whose files can run code"""
NEEDED = {
    "from_pretrained": ("trust_remote_code", False),
    "from_config": ("trust_remote_code", False),
    "torch.load": ("weights_only", True),
    "timm.models.load_state_dict": ("weights_only", True),
    "timm.models.load_checkpoint": ("weights_only", True),
    "numpy.load": ("allow_pickle", False),
}
"""Calls and the argument without which what they read can run code"""
NEVER = {"eval", "exec", "compile", "__import__", "torch.jit.load", "numpy.lib.format.read_array"}


def dangers(source):
    """(line, what) of every way to run code that is read: calls without the argument that refuses
    it, calls and imports that have none.
    """
    tree = ast.parse(source)
    meant = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            meant |= {a.asname or a.name: a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            meant |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
        if isinstance(node, ast.Import | ast.ImportFrom):
            found = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
            yield from ((node.lineno, n) for n in found if n.partition(".")[0] in FORBIDDEN)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call | ast.Attribute | ast.Name):
            continue
        called = isinstance(node, ast.Call)
        first, dot, rest = ast.unparse(node.func if called else node).partition(".")
        name = meant.get(first, first) + dot + rest
        if name in NEVER:
            yield node.lineno, name
        last = name.rpartition(".")[2]
        key = last if last in NEEDED else name
        if called and key in NEEDED:
            argument, value = NEEDED[key]
            given = {k.arg: k.value for k in node.keywords}.get(argument)
            if not (isinstance(given, ast.Constant) and given.value is value):
                yield node.lineno, key


def test_dangers_are_found_however_they_are_written():
    source = """
A.from_pretrained(x)
A.from_config(c, trust_remote_code=True)
A.from_config(c, trust_remote_code=False)
A.from_pretrained(x, **options)
import torch, numpy as np
torch.load(f)
torch.load(f, weights_only=False)
torch.load(f, weights_only=True)
np.load(f)
np.load(f, allow_pickle=False)
from torch import load as get
get(f)
torch.jit.load(f)
import pickle as p
from yaml import safe_load
eval("1")
model.eval()
ast.literal_eval("1")
run = exec
from timm.models import load_state_dict
load_state_dict(f)
model.load_state_dict(tensors)
import importlib, joblib.parallel
"""
    assert sorted(set(dangers(source))) == [
        (2, "from_pretrained"),
        (3, "from_config"),
        (5, "from_pretrained"),
        (7, "torch.load"),
        (8, "torch.load"),
        (10, "numpy.load"),
        (13, "torch.load"),
        (14, "torch.jit.load"),
        (15, "pickle"),
        (16, "yaml"),
        (17, "eval"),
        (20, "exec"),
        (22, "timm.models.load_state_dict"),
        (24, "joblib.parallel"),
    ]


def test_nothing_that_is_read_can_run_code():
    files = [*(ROOT / "mmseq").rglob("*.py"), *(ROOT / "plugins").glob("*/mmseq_*/**/*.py")]
    found = {
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in files
        for line, what in dangers(path.read_text(encoding="utf-8"))
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
