"""What goes wrong inside a plugin's component is told by its name, with the shapes it got."""

import errno
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch

import mmseq
from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.contracts.states import ImageStates, TextStates
from mmseq.errors import UserError
from mmseq.model.announcements import rated
from mmseq.model.guard import blamed, require, shapes

COMPONENTS = """
import torch
from torch import nn
import mmseq


class Fusion(mmseq.Fusion):
    needs_images = False

    def __init__(self, sizes: mmseq.Sizes, *, fault: str = "") -> None:
        super().__init__()
        if fault == "constructor":
            raise KeyError("depth")
        self.fault, self.views = fault, {"half": 4}
        if fault != "no width":
            self.width = sizes.text
        if fault == "views":
            self.views = ("half",)
        self.project = nn.Linear(sizes.text, sizes.text)
        self.narrow = nn.Linear(7, 7)

    def forward(self, text, images):
        states = self.project(text.words)
        views = {"half": states[..., :4]}
        if self.fault == "raises":
            self.narrow(text.words)
        if self.fault == "shape":
            states = states[..., :3]
        if self.fault == "double":
            states = states.double()
        if self.fault == "nan":
            states = states / 0.0 * 0.0
        if self.fault == "view":
            views = {"half": states}
        if self.fault == "unannounced":
            views["more"] = states
        if self.fault == "no view":
            views = {}
        if self.fault == "tensor":
            return states
        return mmseq.Fused(states, views)


class Task(mmseq.AuxTask):
    views = ("half",)

    def __init__(self, sizes: mmseq.Sizes, *, fault: str = "") -> None:
        super().__init__()
        self.fault = fault

    def count(self, targets):
        return targets.mask.sum() if self.fault == "tensor" else int(targets.mask.sum())

    def forward(self, views, targets, emissions):
        if self.fault == "raises":
            raise RuntimeError("no such word")
        if self.fault == "nan":
            return mmseq.AuxOutput(views["half"].sum() * float("nan"))
        if self.fault == "unnamed":
            return mmseq.AuxOutput(views["words"].sum())
        loss = views["half"].square().sum(dim=2)
        return mmseq.AuxOutput(loss if self.fault == "not summed" else loss.sum())


class Decoder(mmseq.SoftmaxDecoder):
    def __init__(self, sizes: mmseq.Sizes, *, fault: str = "") -> None:
        super().__init__(sizes)
        self.fault = fault

    def loss(self, emissions, tags, mask):
        if self.fault == "loss":
            raise RuntimeError("out of range")
        return super().loss(emissions, tags, mask)

    def decode(self, emissions, mask):
        if self.fault == "decode":
            raise IndexError("too long")
        tags = super().decode(emissions, mask)
        return {
            "pair": (tags, tags),
            "floats": tags.float(),
            "fewer": tags[:, :-1],
            "beyond": tags + 5,
            "below": tags - 1,
        }.get(self.fault, tags)

    def scores(self, emissions, tags, mask):
        scores = super().scores(emissions, tags, mask)
        return scores[:, :-1] if self.fault == "scores" else scores


class Detached(Decoder):
    def loss(self, emissions, tags, mask):
        return super().loss(emissions.detach(), tags, mask)


class Weighting(mmseq.Weighting):
    def __init__(self, sizes: mmseq.Sizes, *, fault: str = "") -> None:
        super().__init__()
        self.fault = fault
        if fault == "rate":
            self.learning_rate = "high"

    def forward(self, losses, shared, progress):
        total, weights = sum(losses.values()), dict.fromkeys(losses, 1.0)
        if self.fault == "raises":
            raise RuntimeError("no such loss")
        if self.fault == "pair":
            return total, weights
        if self.fault == "number":
            total = total.item()
        if self.fault == "row":
            total = total[None]
        if self.fault == "detached":
            total = total.detach()
        if self.fault == "nan":
            total = total * float("nan")
        if self.fault == "unweighted":
            del weights["shaky"]
        if self.fault == "list":
            weights = list(weights.values())
        if self.fault == "tensor":
            weights["main"] = torch.ones(())
        return mmseq.Weighted(total, weights)

    def end_epoch(self, means):
        if self.fault == "end":
            raise KeyError("main")


class Encoder(mmseq.TextEncoder):
    width = 8

    def __init__(self, sizes: mmseq.Sizes, *, fault: str = "") -> None:
        super().__init__()
        self.fault = fault
        self.embedding = nn.Embedding(40, 8)
        if fault != "no rate":
            self.learning_rate = 1e-3

    def encode(self, tokens):
        if self.fault == "encode":
            raise KeyError(tokens[0])
        return [len(word) for word in tokens]

    def length(self, encoded, words):
        if self.fault == "length":
            raise TypeError("how long?")
        return len(encoded) / 2 if self.fault == "half" else len(encoded)

    def collate(self, encoded):
        if self.fault == "collate":
            return {"ids": torch.tensor(encoded)}
        ids = torch.zeros(len(encoded), max(map(len, encoded)), dtype=torch.long)
        for row, lengths in enumerate(encoded):
            ids[row, : len(lengths)] = torch.tensor(lengths)
        if self.fault == "bare":
            return ids
        return {"ids": ids.tolist() if self.fault == "list" else ids}

    def forward(self, inputs, images):
        return mmseq.TextStates(self.embedding(inputs.tensors["ids"]), inputs.mask)
"""
SOURCE = """
import mmseq


@mmseq.hookimpl
def register_components(add):
    add.fusion("shaky", "mmseq_shaky.parts:Fusion")
    add.aux_task("shaky", "mmseq_shaky.parts:Task")
    add.decoder("shaky", "mmseq_shaky.parts:Decoder")
    add.decoder("detached", "mmseq_shaky.parts:Detached")
    add.weighting("shaky", "mmseq_shaky.parts:Weighting")
    add.text_encoder("shaky", "mmseq_shaky.parts:Encoder")
"""


@pytest.fixture
def config(site, tiny_encoder, tiny_data):
    """`config("fusion", "raises")`: a run with that fault in that part of a plugin."""
    site.add("shaky", SOURCE, version="0.4", parts=COMPONENTS)

    def make(part, fault):
        table = "aux.shaky" if part == "task" else part
        text = {"name": "transformer", "model": str(tiny_encoder)}
        return Config.from_layers(
            flags={
                "text_encoder": {"name": "shaky"} if part == "text_encoder" else text,
                "image_encoder": {"name": "none"},
                "fusion": {"name": "shaky"},
                "decoder": {"name": "detached" if fault == "no graph" else "shaky"},
                "weighting": {"name": "shaky"},
            },
            aux=["shaky"],
            settings={
                "data.path": str(tiny_data),
                "train.epochs": 1,
                "train.device": "cpu",
                f"{table}.fault": fault,
            },
        )

    return make


FAULTS = {
    ("fusion", "constructor"): r"^fusion 'shaky' of mmseq-shaky 0.4, constructor, failed: "
    r"KeyError: 'depth'\.$",
    ("fusion", "no width"): r"^fusion 'shaky' of mmseq-shaky 0.4: its width is None; set "
    r"self\.width in the constructor, ",
    (
        "fusion",
        "views",
    ): r"^fusion 'shaky' of mmseq-shaky 0.4: its views are \('half',\); map names "
    r"to widths, as in ",
    ("fusion", "unannounced"): r"^fusion 'shaky' of .*: it gives the views more, which it does not "
    r"announce in self\.views\.$",
    ("task", "tensor"): r"^aux task 'shaky' of mmseq-shaky 0.4: count is Tensor, not int\.$",
    ("fusion", "raises"): r"^fusion 'shaky' of mmseq-shaky 0.4 failed: RuntimeError: .*shapes.*; "
    r"it got text words \(24, \d+, 32\), mask \(24, \d+\), vector \(24, 32\); images None\.$",
    ("fusion", "shape"): r"^fusion 'shaky' of mmseq-shaky 0.4: states is \(24, (\d+), 3\), not "
    r"\(24, \1, 32\)\.$",
    ("fusion", "view"): r": view 'half' is \(24, (\d+), 32\), not \(24, \1, 4\)\.$",
    ("fusion", "no view"): r": it announces view 'half' and gives none\.$",
    ("fusion", "double"): r"^fusion 'shaky' of .*: states is float64, not float32\.$",
    ("fusion", "nan"): r"^fusion 'shaky' of .*: states holds numbers that are not finite \(NaN or "
    r"infinite\) at the first step, before anything was learned\.$",
    ("task", "nan"): r"^aux task 'shaky' of .*: loss holds numbers that are not finite",
    ("fusion", "tensor"): r": what forward gives is Tensor, not Fused\.$",
    ("task", "raises"): r"^aux task 'shaky' of mmseq-shaky 0.4 failed: RuntimeError: no such word; "
    r"it got views half \(24, (\d+), 4\); emissions \(24, \1, 5\)\.$",
    ("task", "unnamed"): r"^aux task 'shaky' of .* failed: LookupError: 'words' is not among the "
    r"views it reads; write views = \('half', 'words'\); it got views half .*\.$",
    ("task", "not summed"): r"^aux task 'shaky' of .*: loss is \(24, \d+\), not \(\)\.$",
    ("decoder", "loss"): r"^decoder 'shaky' of .* failed: RuntimeError: out of range; it got "
    r"emissions \(24, (\d+), 5\); tags \(24, \1\)\.$",
    ("decoder", "decode"): r"^decoder 'shaky' of .* failed: IndexError: too long; it got emissions "
    r"\(8, (\d+), 5\); mask \(8, \1\)\.$",
    ("decoder", "pair"): r"^decoder 'shaky' of .*: what decode gives is tuple, not Tensor\.$",
    ("decoder", "floats"): r": what decode gives is float32, not int64\.$",
    ("decoder", "fewer"): r": what decode gives is \(8, \d+\), not \(8, \d+\)\.$",
    ("decoder", "beyond"): r": what decode gives holds [5-9]; the 5 labels are 0 to 4\.$",
    ("decoder", "below"): r": what decode gives holds -1; the 5 labels are 0 to 4\.$",
    ("decoder", "no graph"): r"^decoder 'detached' of .*: loss has no gradient; compute it of what "
    r"it gets, without detach, item or argmax\.$",
    ("weighting", "raises"): r"^weighting 'shaky' of mmseq-shaky 0.4 failed: RuntimeError: no such "
    r"loss; it got losses main \(\), shaky \(\); shared \(24, \d+, 32\)\.$",
    ("weighting", "pair"): r"^weighting 'shaky' .*: what forward gives is tuple, not Weighted\.$",
    ("weighting", "number"): r": total is float, not Tensor\.$",
    ("weighting", "row"): r": total is \(1,\), not \(\)\.$",
    ("weighting", "detached"): r"^weighting .*: total has no gradient; compute it of what it gets",
    ("weighting", "nan"): r"^weighting 'shaky' of .*: total holds numbers that are not finite",
    ("weighting", "unweighted"): r": loss 'shaky' has no weight in weights \(there: main\); give "
    r"that of every loss it gets\.$",
    ("weighting", "list"): r": weights is list, not Mapping\.$",
    ("weighting", "tensor"): r": weight of 'main' is Tensor, not float\.$",
    ("weighting", "end"): r"^weighting 'shaky' of .* failed in end_epoch: KeyError: 'main'\.$",
    ("weighting", "rate"): r": its learning_rate is 'high'; set self\.learning_rate in the "
    r"constructor, a number of at least 0, or None\.$",
    ("text_encoder", "no rate"): r"^text encoder 'shaky' of mmseq-shaky 0.4: its learning_rate is "
    r"None; set self\.learning_rate in the constructor, a number of at least 0\.$",
    ("text_encoder", "encode"): r"^text encoder 'shaky' of mmseq-shaky 0.4 failed in encode of "
    r".*train\.jsonl:1: KeyError: '\w+'\.$",
    ("text_encoder", "length"): r" failed in length of .*train\.jsonl:1: TypeError: how long\?\.$",
    ("text_encoder", "half"): r": what length gives is float, not int\.$",
    ("text_encoder", "collate"): r"^text encoder 'shaky' of .* failed in collate: ValueError: ",
    ("text_encoder", "bare"): r": what collate gives is Tensor, not Mapping\.$",
    ("text_encoder", "list"): r": 'ids' of what collate gives is list, not Tensor\.$",
}


@pytest.mark.parametrize(("fault", "line"), FAULTS.items(), ids=lambda part: str(part)[:40])
def test_a_fault_is_told_with_component_distribution_and_shapes(config, tmp_path, fault, line):
    made = config(*fault)
    with pytest.raises(mmseq.ComponentError, match=line):
        mmseq.train(made, output=tmp_path / "run", reporter=Reporter(quiet=True))


def test_without_a_fault_the_plugin_trains(config, tmp_path):
    run = mmseq.train(config("fusion", ""), output=tmp_path / "run", reporter=Reporter(quiet=True))
    assert (run / "metrics.json").is_file()


def test_a_fault_in_prediction_is_told_too(config, tmp_path):
    run = mmseq.train(config("fusion", ""), output=tmp_path / "run", reporter=Reporter(quiet=True))
    toml = run / "config.toml"
    healthy = toml.read_text()
    chosen = '[decoder]\nname = "shaky"\nfault = '
    assert f'{chosen}""' in healthy
    lines = {"scores": r"scores is \(1, 1\), not \(1, 2\)\.", "floats": "what decode gives is"}
    for fault, line in lines.items():
        toml.write_text(healthy.replace(f'{chosen}""', f'{chosen}"{fault}"'))
        with pytest.raises(mmseq.ComponentError, match=f"^decoder 'shaky' of .*: {line}"):
            mmseq.load(run).predict(["Anna Said"])


def test_on_the_command_line_it_is_one_line_and_exit_code_1(config, tmp_path, run_cli):
    config("task", "raises").save(tmp_path / "config.toml")
    command = ("train", "--config", tmp_path / "config.toml", "--quiet")
    done = run_cli(*command, "--output", tmp_path / "run")
    assert done.code == 1
    (line,) = done.err.splitlines()
    assert line.startswith("Error: aux task 'shaky' of mmseq-shaky 0.4 failed: RuntimeError: no s")
    assert line.endswith("(--debug shows where)")
    whole = run_cli(*command, "--output", tmp_path / "other", debug=True)
    assert 'raise RuntimeError("no such word")' in whole.err


def test_what_a_user_can_mend_and_memory_or_a_disk_used_up_keep_their_errors():
    full = OSError(errno.ENOSPC, "no space left")
    for error in (UserError("a word too many"), torch.OutOfMemoryError("2 GiB"), full):
        with pytest.raises(type(error)) as caught, blamed("fusion 'x'"):
            raise error
        assert caught.value is error


def test_the_cause_is_kept():
    cause = ValueError("2 is not 3.")
    with pytest.raises(mmseq.ComponentError) as caught, blamed("fusion 'x'"):
        raise cause
    assert caught.value.__cause__ is cause
    assert str(caught.value) == "fusion 'x' failed: ValueError: 2 is not 3."


def test_what_is_right_passes():
    require("x", "states", torch.zeros(2, 3), torch.Tensor, (2, 3))
    require("x", "loss", torch.zeros(()), torch.Tensor)
    require("x", "forward", {}, dict)


def test_a_rate_is_a_number_and_only_a_weighting_can_do_without():
    assert rated(SimpleNamespace(learning_rate=0)) == ""
    assert rated(SimpleNamespace(), needed=False) == ""
    assert rated(SimpleNamespace()).startswith("its learning_rate is None; set ")
    assert rated(SimpleNamespace(learning_rate=-1e-3), needed=False).endswith(", or None")


@dataclass
class Named:
    tensors: dict
    name: str = "x"


def test_shapes_of_what_components_get():
    text = TextStates(
        torch.zeros(2, 3, 4), torch.ones(2, 3), parts={"word": torch.zeros(2, 3, 1)}, extras={}
    )
    images = ImageStates(
        torch.zeros(2, 5, 6), torch.ones(2, 5), levels=(torch.zeros(2, 7, 1, 1), torch.zeros(1))
    )
    assert shapes({"text": text, "images": images}) == (
        "text words (2, 3, 4), mask (2, 3), parts word (2, 3, 1); "
        "images regions (2, 5, 6), mask (2, 5), levels (2, 7, 1, 1) (1,)"
    )
    assert shapes({"images": None}) == "images None"
    assert shapes({"inputs": Named({"ids": torch.zeros(9)})}) == "inputs tensors ids (9,)"


def test_a_run_made_with_another_version_is_told_when_it_is_loaded(config, site, tmp_path, capsys):
    folder = mmseq.train(
        config("fusion", ""), output=tmp_path / "run", reporter=Reporter(quiet=True)
    )
    capsys.readouterr()
    mmseq.load(folder)
    assert capsys.readouterr().err == ""
    path = folder / "assets" / "components.json"
    path.write_text(path.read_text().replace('"0.4"', '"0.3"'))
    mmseq.load(folder)
    # Three components of one distribution: one line.
    assert capsys.readouterr().err == (
        f"mmseq: {folder} was made with mmseq-shaky 0.3, and here is mmseq-shaky 0.4: results may "
        "differ; for the same ones: pip install 'mmseq-shaky==0.3'.\n"
    )
