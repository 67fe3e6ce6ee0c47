"""Sentences on disk are batched as those in memory: where they lie changes no weight by a bit."""

import json

import pytest
import torch
from safetensors.torch import load_file as load_tensors

import mmseq
from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.data.source import load_data
from mmseq.data.store import StoredExamples
from mmseq.errors import ComponentError
from mmseq.model.order import lengths_of
from mmseq.training.interruption import Interrupted
from mmseq.training.setup import assemble, new_run

QUIET = Reporter(quiet=True)
OWN = '''
import mmseq
from mmseq.builtins.text.transformer import TransformerEncoder


class Spelled(TransformerEncoder):
    """Finds a sentence as long as its letters."""

    def __init__(self, sizes: mmseq.Sizes, *, factor: int = 1, **options):
        super().__init__(sizes, **options)
        self.factor = factor

    def encode(self, tokens):
        return super().encode(tokens), sum(map(len, tokens))

    def length(self, encoded, words):
        return self.factor * encoded[1]

    def collate(self, encoded):
        return super().collate([one for one, _ in encoded])


@mmseq.hookimpl
def register_components(add):
    add.text_encoder("spelled", Spelled)
'''
ENCODERS = {
    "default": {"name": "transformer"},
    "windows": {"name": "transformer", "window": 8},
    "a plugin's": {"name": "spelled"},
}


@pytest.fixture
def config(tiny_encoder, tiny_data, tmp_path, site):
    """`config(encoder, cache)`: a text-only run of 6 steps in each of two epochs."""
    site.add("own", OWN)

    def make(encoder="default", cache="off", **settings):
        own = ENCODERS[encoder]
        return Config.from_layers(
            flags={
                "text_encoder": {**own, "model": str(tiny_encoder)},
                "fusion": {"name": "none"},
            },
            settings={
                "data.path": str(tiny_data),
                "data.cache": cache if cache == "off" else str(tmp_path / cache),
                "train.epochs": 2,
                "train.batch_size": 4,
                "train.device": "cpu",
                **settings,
            },
        )

    return make


def same(first, second):
    """Weights, predictions and scores of two runs are the same to the bit."""
    one, other = (load_tensors(run / "model.safetensors") for run in (first, second))
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name
    for file in ("metrics.json", "predictions/test.jsonl", "history.jsonl"):
        assert (first / file).read_bytes() == (second / file).read_bytes(), file


@pytest.mark.parametrize("encoder", ENCODERS)
def test_training_from_disk_is_training_from_memory_to_the_bit(config, tmp_path, encoder):
    runs = [
        mmseq.train(config(encoder, cache), output=tmp_path / f"run-{cache}", reporter=QUIET)
        for cache in ("off", "kept")
    ]
    same(*runs)
    setup = new_run(config(encoder, "kept"), tmp_path / "again", QUIET)
    sentences = setup.prepared["train"]
    lengths = lengths_of(sentences)
    assert isinstance(sentences.examples, StoredExamples)
    assert list(lengths) == [sentence.length for sentence in sentences]

    # By words alone the batches would be others: the lengths are what makes them the same.
    def order(lengths):
        return sorted(range(len(lengths)), key=lambda i: lengths[i])

    assert order(lengths) != order(sentences.examples.lengths)


def test_a_run_from_disk_is_resumed_to_what_memory_gives(config, tmp_path):
    expected = mmseq.train(config(), output=tmp_path / "memory", reporter=QUIET)

    class Stop(mmseq.Callback):
        def on_step(self, event):
            if event.step == 8:
                raise KeyboardInterrupt

    broken = config("default", "kept", **{"train.checkpoint_steps": 4})
    with pytest.raises((KeyboardInterrupt, Interrupted)):
        mmseq.train(broken, output=tmp_path / "disk", reporter=QUIET, callbacks={"stop": Stop()})
    resumed = mmseq.train(output=tmp_path / "disk", resume=True, reporter=QUIET)
    same(expected, resumed)


def lengths_files(folder):
    return sorted(path.name for path in folder.glob("*/lengths-*.i32"))


def test_lengths_are_found_once_for_each_encoder(config, tmp_path, monkeypatch):
    """Each encoder: its name, options and assets."""
    new_run(config("default", "kept"), tmp_path / "one", QUIET)
    assert len(lengths_files(tmp_path / "kept")) == 1
    new_run(config("windows", "kept"), tmp_path / "two", QUIET)
    assert len(lengths_files(tmp_path / "kept")) == 2
    kept = lengths_files(tmp_path / "kept")

    def encode(*arguments):
        raise AssertionError("a sentence is encoded")

    monkeypatch.setattr("mmseq.model.calls.encode", encode)
    for encoder in ("default", "windows"):
        setup = assemble(config(encoder, "kept", **{"data.splits": ["train"]}), tmp_path, QUIET)
        _made_ready(setup)
    with pytest.raises(AssertionError, match="a sentence is encoded"):
        _made_ready(assemble(config("a plugin's", "kept"), tmp_path, QUIET))
    assert lengths_files(tmp_path / "kept") == kept


def _made_ready(setup):
    from mmseq.training.setup import _make_ready

    _make_ready(setup)


def test_damaged_lengths_are_found_again(config, tmp_path):
    new_run(config("default", "kept"), tmp_path / "one", QUIET)
    (path,) = (tmp_path / "kept").glob("*/lengths-*.i32")
    right = path.read_bytes()
    for wrong in (b"", right[:-4], bytes([right[0] ^ 1]) + right[1:]):
        path.write_bytes(wrong)
        setup = new_run(config("default", "kept"), tmp_path / f"more-{len(wrong)}", QUIET)
        sentences = setup.prepared["train"]
        assert list(lengths_of(sentences)) == [sentence.length for sentence in sentences]
        assert path.read_bytes() == right


def test_an_encoder_that_goes_by_words_needs_no_pass(config, tmp_path):
    bilstm = {"name": "bilstm", "vectors": "", "hidden": 8, "word_width": 8}
    own = Config.from_layers(
        flags={"text_encoder": bilstm, "fusion": {"name": "none"}},
        settings={"data.path": config().data.path, "data.cache": str(tmp_path / "kept")},
    )
    setup = new_run(own, tmp_path / "one", QUIET)
    assert lengths_files(tmp_path / "kept") == []
    words = [len(e.tokens) for e in load_data(config().data, ["train"])["train"].examples]
    assert list(lengths_of(setup.prepared["train"])) == words


def test_a_length_that_does_not_fit_is_the_encoders_fault(config, tmp_path):
    huge = config("a plugin's", "kept", **{"text_encoder.factor": 2**31})
    with pytest.raises(ComponentError, match="'spelled'.*what length gives"):
        new_run(huge, tmp_path / "one", QUIET)


def test_the_pass_is_shown(config, tmp_path, capsys):
    shown = []

    class Bars(Reporter):
        def progress(self, title, total):
            shown.append((title, total))
            return super().progress(title, total)

    new_run(config("default", "kept"), tmp_path / "one", Bars(quiet=True))
    assert ("lengths of sentences on disk", 24) in shown
    assert json.loads(next((tmp_path / "kept").glob("*/facts.json")).read_text())


def test_a_disk_that_is_full_as_the_encoder_is_looked_at_is_what_the_system_says(
    config, monkeypatch, tmp_path
):
    from mmseq.builtins.text.transformer import TransformerEncoder

    def full(self, folder):
        # As the tokenizers library, written in Rust, says it.
        raise Exception("No space left on device (os error 28)")

    monkeypatch.setattr(TransformerEncoder, "save_assets", full)
    with pytest.raises(OSError, match="No space left") as caught:
        new_run(config(cache=str(tmp_path / "cache")), tmp_path / "run", QUIET)
    assert caught.value.errno == 28
