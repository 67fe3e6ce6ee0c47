"""Two gloo processes train as one process does on the joined batch, score alike, and resume."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import ExitStack

import pytest
import torch
import warm
from PIL import Image
from safetensors.torch import load_file

import mmseq
from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.model.order import epoch_steps
from mmseq.registry.plugins import load_plugins

pytestmark = pytest.mark.process
QUIET = Reporter(quiet=True)
TORCHRUN = ["-m", "torch.distributed.run", "--nproc-per-node", "2"]
# A free port each time: two suites may run on one machine.
TORCHRUN.append("--standalone")
ACCELERATE = ["-m", "accelerate.commands.launch", "--multi_gpu"]
ACCELERATE += ["--num_processes", "2", "--num_machines", "1", "--main_process_port", "0"]
ACCELERATE += ["--mixed_precision", "no", "--dynamo_backend", "no"]

RUNS = {
    "fixed": {},
    "adversarial": {"train.adversarial": 0.5},
    "uncertainty": {"weighting.name": "uncertainty"},
    "gradnorm": {"weighting.name": "gradnorm"},
    "dynamic-average": {"weighting.name": "dynamic-average"},
    "ramp": {"weighting.name": "ramp"},
}
# Without validation data what the image encoder learns by itself is kept in any case.
LEARNING = {"data.splits": ["train"], "image_encoder.learning_rate": 1e-2}
COUNTS = ((4, 0), (0, 4), (0, 0), (2, 1))
"""Of the four batches, by length: sentences with entities and a picture in either process"""
STEPS = len(COUNTS)

PROGRAM = """
import json, sys
from pathlib import Path
import mmseq
from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.model.prediction import Asked, _decode, predict
from mmseq.pictures.features import FeatureStore, compute_features
from mmseq.processes import process_index
from mmseq.training.setup import new_run

folder, quiet = Path(sys.argv[1]), Reporter(quiet=True)
for file in sorted(folder.glob("*.toml")):
    config = Config.from_file(file)
    mmseq.train(config, output=folder / file.stem, reporter=quiet)

setup = new_run(config, folder / "ragged", quiet)
asked = Asked(words=True, spans=True, best=0, least=0.0)
model, device, known = setup.model.eval(), setup.accelerator.device, setup.prepared["train"]
found = {}
for count in (1, 5, 64, 65, 129):
    sentences = [known[i % len(known)] for i in range(count)]
    given = predict(model, setup.collator, sentences, device=device, scores=True)
    # Each alone, in this process.
    right = {}
    for sentence in sentences[: len(known)]:
        batch = setup.collator.batch([sentence]).to(device)
        right[id(sentence)] = _decode(model, batch, list(model.tasks), asked)[0]
    found[count] = [
        [a.tags, b.tags, a.scores, b.scores]
        for a, b in zip(given, [right[id(s)] for s in sentences], strict=True)
    ]
# Pictures, one of them none: each is decoded once, in one of the processes.
paths = sorted((Path(config.data.path) / "images").iterdir())
(folder / "broken.png").write_bytes(b"no picture")
encoder, decoded = model.image_encoder, []
transform = encoder.transform
encoder.transform = lambda picture: decoded.append(1) or transform(picture)
store = FeatureStore(folder / "store")
table = compute_features([*paths, folder / "broken.png"], encoder, store=store, shared=True)
right = compute_features(paths, encoder).rows(paths)
found["pictures"] = {
    "files": len(paths), "new": table.new,
    "decoded": len(decoded) - len({table.contents[path] for path in paths}),
    "problems": [path.name for path in table.problems],
    "equal": all(value.equal(right[name]) for name, value in table.rows(paths).items()),
}

single = config.replaced({"data.path": str(folder / "single")})
try:
    new_run(single, folder / "refused", quiet)
except mmseq.UserError as error:
    found["refused"] = str(error)
(folder / f"found-{process_index()}.json").write_text(json.dumps(found))
"""

KILL = """
import mmseq

@mmseq.hookimpl
def register_components(add):
    add.callback("kill", "mmseq_kill.kill:Kill")
"""
KILLER = '''
import os, signal
import mmseq

class Kill(mmseq.Callback):
    """Ends a run in its seventh step as `kill -9` does, unless it is resumed."""

    def on_start(self, folder, resumed_step):
        self.fresh = resumed_step == 0

    def on_step(self, event):
        if self.fresh and event.step == 7:
            os.kill(os.getpid(), signal.SIGKILL)
'''


ALONE = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
"""A thread for each process, and the CPU"""


def launch(*arguments, site=None):
    """A launcher's two processes on this machine: the exit code, and what is on stderr."""
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, **ALONE, "PYTHONPATH": path}
    with (
        tempfile.TemporaryFile("w+") as said,
        warm.Process(*arguments, stdout=said, stderr=said, env=environment) as launcher,
    ):
        try:
            code = launcher.wait(timeout=600)
        except subprocess.TimeoutExpired:
            # It ends its processes, too; killed, it would leave them.
            launcher.send_signal(signal.SIGTERM)
            raise
        said.seek(0)
        return code, said.read()


def run_twice(*arguments):
    """Two processes as a launcher starts them, but forked: their exit codes, and all of stderr."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    common |= {**os.environ, **ALONE, "MASTER_PORT": str(port)}
    with tempfile.TemporaryFile("w+") as said, ExitStack() as stack:
        both = [
            warm.Process(*arguments, stderr=said, env={**common, "RANK": rank, "LOCAL_RANK": rank})
            for rank in ("0", "1")
        ]
        for process in both:
            stack.enter_context(process)
        codes = [process.wait(timeout=600) for process in both]
        said.seek(0)
        return codes, said.read()


def sentence(folder, number, rich):
    """Longer with every number, and by 8 words more with every eighth, so that these lie apart in
    sub-words too; a rich one has entities and, by its number, one picture or two.
    """
    draw = random.Random(number)
    words = number + 2 + 8 * (number // 8)
    # The tiny vocabulary has both whole.
    tokens = [draw.choice(["was", "the"]) for _ in range(words)]
    tags, images = ["O"] * len(tokens), []
    if rich:
        tokens[:2], tags[:2] = draw.choice((("Ann", "Lee"), ("Bob", "Ray"))), ["B-PER", "I-PER"]
        if number % 3:
            tokens[-1], tags[-1] = draw.choice(("Oslo", "Lima")), "B-LOC"
        for index in range(1 + number % 2):
            images.append(f"{number}-{index}.png")
            colour = tuple(draw.randrange(256) for _ in range(3))
            Image.new("RGB", (40, 32), colour).save(folder / "images" / images[-1])
    return {"id": str(number), "tokens": tokens, "tags": tags, "images": images}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """27 training sentences, all of different length: batches of 8, by length, are known."""
    folder = tmp_path_factory.mktemp("two-data")
    (folder / "images").mkdir()
    rich = [COUNTS[i // 8][i % 2] > 0 for i in range(27)]
    splits = {"train": enumerate(rich), "valid": [(i, True) for i in (4, 9, 2, 7, 5)]}
    for split, sentences in {**splits, "test": [(12, True)]}.items():
        lines = [json.dumps(sentence(folder, *each)) for each in sentences]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def partly(data, tmp_path_factory):
    """The same, of whose training words some are open: more of them in one process than in the
    other, and in some batches none.
    """
    folder = tmp_path_factory.mktemp("two-partly") / "data"
    shutil.copytree(data, folder)
    records = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    for number, record in enumerate(records):
        if number % 3 == 0 and number < 20:
            record["tags"] = [None if i % 4 else tag for i, tag in enumerate(record["tags"])]
    (folder / "train.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    return folder


@pytest.fixture(scope="module")
def make(tiny_encoder, data, tmp_path_factory):
    """`make(batch_size, **settings)`: all tasks, no dropout: only the sharing differs."""
    encoder = shutil.copytree(tiny_encoder, tmp_path_factory.mktemp("encoder") / "bert")
    settings = json.loads((encoder / "config.json").read_text())
    settings["hidden_dropout_prob"] = settings["attention_probs_dropout_prob"] = 0.0
    (encoder / "config.json").write_text(json.dumps(settings))

    def made(batch_size, model=encoder, dropout=0.0, **own):
        return Config.from_layers(
            flags={
                "text_encoder": {
                    "name": "transformer",
                    "model": str(model),
                    "learning_rate": 1e-3,
                },
                "image_encoder": {"name": "timm", "model": "test_vit", "weights": "random"},
                "fusion": {"name": "cross-transformer", "heads": 4, "dropout": dropout},
            },
            aux=["contrastive", "cluster", "boundary"],
            settings={
                "data.path": str(data),
                "aux.boundary.heads": 4,
                "aux.boundary.dropout": dropout,
                "callbacks.history.steps": 1,
                "callbacks.conflict.steps": 1,
                "train.device": "cpu",
                "train.epochs": 3,
                "train.batch_size": batch_size,
                **own,
            },
        )

    return made


@pytest.fixture(scope="module")
def dropping(make, tiny_encoder):
    """With dropout, which each process draws for itself; a checkpoint every three steps; the device
    left to be found, which is the CPU.
    """
    settings = {"train.checkpoint_steps": 3, "train.device": "auto"}
    return make(4, tiny_encoder, 0.1, **settings)


@pytest.fixture(scope="module")
def two(make, dropping, data, partly, tiny_data, tmp_path_factory):
    """Folder with every run by two processes, and what they found."""
    folder = tmp_path_factory.mktemp("two")
    for name, settings in RUNS.items():
        make(4, **settings).save(folder / f"{name}.toml")
    dropping.save(folder / "dropping.toml")
    for cache in ("off", str(folder / "sentences")):
        stored = dropping.replaced({"data.path": str(tiny_data), "data.cache": cache})
        stored.save(folder / f"from-{'memory' if cache == 'off' else 'disk'}.toml")
    make(4, **LEARNING).save(folder / "learning.toml")
    for decoder in ("crf", "softmax"):
        own = make(4, **{"data.path": str(partly), "decoder.name": decoder})
        own.save(folder / f"partly-{decoder}.toml")
    (folder / "single").mkdir()
    first = (data / "train.jsonl").read_text().splitlines()[0]
    (folder / "single" / "train.jsonl").write_text(first + "\n")
    (folder / "program.py").write_text(PROGRAM)
    codes, said = run_twice(folder / "program.py", folder)
    assert codes == [0, 0], said[-3000:]
    return folder


def steps(run):
    """Step lines of the history, each with its line of the log of conflicts."""
    logs = [(run / f"{name}.jsonl").read_text().splitlines() for name in ("history", "conflict")]
    history, conflicts = ([json.loads(line) for line in log] for log in logs)
    history = [record for record in history if record["kind"] == "step"]
    return [{**a, **b} for a, b in zip(history, conflicts, strict=True)]


def test_the_data_are_as_unequal_as_they_are_meant_to_be(make, data):
    """By what the processes get: neither entities nor pictures here, there, or anywhere."""
    records = [json.loads(line) for line in (data / "train.jsonl").read_text().splitlines()]
    lengths = [len(record["tokens"]) for record in records]
    train = make(4).train
    shared = [[step for [step] in epoch_steps(lengths, train, 0, rank, 2)] for rank in (0, 1)]
    for what in ("images", "entities"):
        found = set()
        for parts in zip(*shared, strict=True):
            rich = [[i for i in part if set(records[i]["tags"]) != {"O"}] for part in parts]
            assert rich == [[i for i in part if records[i]["images"]] for part in parts]
            found.add(tuple(len(part) for part in rich))
        assert found == set(COUNTS), what
    joined = [step for [step] in epoch_steps(lengths, make(8).train, 0, 0, 1)]
    assert [sorted(a + b) for a, b in zip(*shared, strict=True)] == [sorted(j) for j in joined]


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_equal_one_on_the_joined_batch(make, two, tmp_path, name):
    """Losses, weights, gradient norms and cosines at every step, and the scores."""
    run = mmseq.train(make(8, **RUNS[name]), output=tmp_path / "one", reporter=QUIET)
    one, both = steps(run), steps(two / name)
    assert len(one) == len(both) == 3 * STEPS
    for a, b in zip(one, both, strict=True):
        assert a["losses"].keys() == b["losses"].keys()
        assert b["losses"] == pytest.approx(a["losses"], abs=1e-5, rel=1e-5), a["step"]
        assert b["gradient_norm"] == pytest.approx(a["gradient_norm"], rel=1e-4)
        assert b["weights"] == pytest.approx(a["weights"], rel=1e-4)
        assert b["cosines"] == pytest.approx(a["cosines"], abs=1e-4)
    # The clustering task waits for an epoch; then one batch in four has neither entity nor picture.
    tasks = [tuple(sorted(record["losses"].keys() - {"main"})) for record in both]
    assert tasks[:STEPS] == [()] * STEPS
    later = sorted(tasks[STEPS : 2 * STEPS])
    assert later == [("boundary",)] + [("boundary", "cluster", "contrastive")] * 3
    scores = [json.loads((r / "metrics.json").read_text()) for r in (run, two / name)]
    for part in ("valid", "test", "data"):
        assert scores[0][part] == scores[1][part]
    assert [scores[1][split]["sentences"] for split in ("valid", "test")] == [5, 1]


@pytest.mark.parametrize("decoder", ["crf", "softmax"])
def test_two_processes_share_out_open_words(make, two, partly, tmp_path, decoder):
    """A loss is divided by what is known in both."""
    own = make(8, **{"data.path": str(partly), "decoder.name": decoder})
    run = mmseq.train(own, output=tmp_path / "one", reporter=QUIET)
    for a, b in zip(steps(run), steps(two / f"partly-{decoder}"), strict=True):
        assert b["losses"] == pytest.approx(a["losses"], abs=1e-5, rel=1e-5), a["step"]


def test_two_processes_learn_from_pictures_as_one_does(make, two, tmp_path):
    """The image encoder's last stage by itself, before the main task."""
    one = mmseq.train(make(8, **LEARNING), output=tmp_path / "one", reporter=QUIET)
    untaught = {**LEARNING, "image_encoder.train": "frozen"}
    first = mmseq.train(make(8, **untaught), output=tmp_path / "first", reporter=QUIET)
    runs = [load_file(r / "model.safetensors") for r in (one, two / "learning", first)]
    names = [name for name in runs[0] if name.startswith("image_encoder.")]
    one, both, first = (torch.cat([run[n].flatten().float() for n in names]) for run in runs)
    moved = (one - first).abs() > 1e-3
    assert moved.float().mean() > 0.05
    # Adam moves a weight whose gradient is nearly nothing by its sign, which rounding decides.
    assert ((one - both).abs() < 1e-4)[moved].float().mean() > 0.99


def test_every_sentence_is_tagged_once_and_in_its_place(two):
    """One sentence, fewer than a batch, and batches that do not come out even."""
    for rank in (0, 1):
        found = json.loads((two / f"found-{rank}.json").read_text())
        for count in (1, 5, 64, 65, 129):
            assert len(found[str(count)]) == count
            for tags, right_tags, scores, right_scores in found[str(count)]:
                assert tags == right_tags
                assert scores == pytest.approx(right_scores, abs=1e-4)


def test_sentences_from_disk_are_batched_as_those_in_memory(two):
    """Their lengths are found by both processes, a share each."""
    memory, disk = (load_file(two / f"from-{w}" / "model.safetensors") for w in ("memory", "disk"))
    assert len(list((two / "sentences").glob("*/lengths-*.i32"))) == 1
    assert memory.keys() == disk.keys()
    for name, tensor in memory.items():
        assert tensor.equal(disk[name]), name


def test_two_processes_compute_each_picture_once(two):
    found = [json.loads((two / f"found-{rank}.json").read_text())["pictures"] for rank in (0, 1)]
    for each in found:
        assert each["problems"] == ["broken.png"]
        assert each["equal"]
        assert each["new"] == each["files"] > 20
        assert 0 < each["decoded"] < each["files"]
    assert sum(each["decoded"] for each in found) == found[0]["files"]


def test_more_processes_than_sentences_are_refused(two):
    for rank in (0, 1):
        said = json.loads((two / f"found-{rank}.json").read_text())["refused"]
        assert said.endswith("1 sentences for 2 processes; start fewer.")


def test_killed_and_resumed_is_the_unbroken_run(dropping, two, site, tmp_path):
    """Both launchers; each process goes on with its own dropout, in the middle of an epoch."""
    site.add("kill", KILL, kill=KILLER)
    load_plugins.cache_clear()
    dropping.replaced({"callbacks.kill": {}}).save(tmp_path / "config.toml")
    run = tmp_path / "broken"
    train = ("-m", "mmseq", "train", "--quiet")
    code, said = launch(
        *(*TORCHRUN, *train),
        *("--config", tmp_path / "config.toml", "--output", run),
        site=site.folder,
    )
    assert code != 0
    assert f"-{int(signal.SIGKILL)}" in said
    survivor = [line for line in said.splitlines() if "has ended, as process 1 sees" in line]
    assert len(survivor) == 1, said[-3000:]
    assert survivor[0].endswith(
        f"torchrun --nproc-per-node 2 -m mmseq train --resume --output {run}"
    )
    assert "Traceback" not in said.partition("has ended, as process 1 sees")[0]
    assert not (run / "metrics.json").exists()
    assert (run / "last" / "current").read_text().startswith("step-00000006-")
    with pytest.raises(mmseq.UserError, match="processes .*2.* 1"):
        mmseq.train(output=run, resume=True, reporter=QUIET)
    code, said = launch(*ACCELERATE, *train, "--resume", "--output", run, site=site.folder)
    assert code == 0, said[-3000:]
    whole = two / "dropping"
    for name in ("history.jsonl", "conflict.jsonl"):
        assert (whole / name).read_bytes() == (run / name).read_bytes(), name
    weights, right = (load_file(r / "model.safetensors") for r in (run, whole))
    assert weights.keys() == right.keys()
    assert all(weights[key].equal(right[key]) for key in right)
