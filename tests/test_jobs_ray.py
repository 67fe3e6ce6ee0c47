"""Runs on a Ray cluster of two nodes without a common folder: the figures of one process."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from mmseq import UserError
from mmseq.config.config import Config
from mmseq.files import read_json
from mmseq.jobs.job import Event, Job
from mmseq.jobs.shipping import load_run, pack_data, pack_run, unpacked_data
from mmseq.jobs.work import work


@pytest.fixture
def config(tiny_encoder, tiny_data):
    """A small run with pictures: 3 epochs of 6 steps."""
    return Config.from_layers(
        flags={
            "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
            "image_encoder": {"name": "timm", "model": "test_vit", "weights": "random"},
            "fusion": {"name": "gate"},
        },
        settings={
            "data.path": str(tiny_data),
            "train.epochs": 3,
            "train.batch_size": 4,
            "train.device": "cpu",
        },
    )


def test_data_are_unpacked_by_content_and_removed_by_the_last(
    config, tiny_data, tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    packed = pack_data(config.tables()["data"])
    with unpacked_data(packed) as changes:
        place = Path(changes["path"])
        assert changes["image_folder"] == ""
        for path in (p for p in tiny_data.rglob("*") if p.is_file()):
            assert (place / path.relative_to(tiny_data)).read_bytes() == path.read_bytes()
        with unpacked_data(packed) as again:
            assert again == changes
        # Another run is still using them.
        assert place.is_dir()
        # Nothing half unpacked is left over.
        assert list(tmp_path.iterdir()) == [place]
    assert list(tmp_path.iterdir()) == []
    assert pack_data({**config.tables()["data"], "path": "sample"}) is None
    with unpacked_data(None) as changes:
        assert changes == {}


LEFT = """
import os, sys, tempfile
tempfile.tempdir = sys.argv[2]
from mmseq.jobs.shipping import unpacked_data
with unpacked_data(open(sys.argv[1], "rb").read()):
    os._exit(9)
"""


def test_what_a_killed_run_left_of_its_data_goes_with_the_next(
    config, tiny_data, tmp_path, monkeypatch
):
    shipped, root = tmp_path / "shipped", tmp_path / "root"
    root.mkdir()
    shipped.write_bytes(pack_data(config.tables()["data"]))
    subprocess.run([sys.executable, "-c", LEFT, str(shipped), str(root)], check=False)
    assert len(list(root.iterdir())) == 1
    monkeypatch.setattr("tempfile.tempdir", str(root))
    (root / "train.txt").write_text("Oslo\tB-LOC\n")
    tables = {**config.tables()["data"], "path": str(root), "splits": ["train"]}
    with unpacked_data(pack_data(tables)) as changes:
        assert {p.name for p in root.iterdir()} == {Path(changes["path"]).name, "train.txt"}


def test_files_of_any_year_are_packed(config, tiny_data, tmp_path):
    data = shutil.copytree(tiny_data, tmp_path / "data")
    for file, year in ((data / "train.jsonl", 0), (data / "test.jsonl", 2**33)):
        os.utime(file, (year, year))
    with zipfile.ZipFile(BytesIO(pack_data({**config.tables()["data"], "path": str(data)}))) as z:
        assert z.read("train.jsonl") == (data / "train.jsonl").read_bytes()


def test_pictures_of_another_folder_come_along_and_unused_ones_stay(config, tiny_data, tmp_path):
    data = tmp_path / "data"
    pictures = tmp_path / "elsewhere"
    for folder in (data, pictures):
        folder.mkdir()
    Image.new("RGB", (20, 20), "red").save(pictures / "a.png")
    Image.new("RGB", (20, 20), "blue").save(pictures / "unused.png")
    (data / "train.txt").write_text("IMGID:a\nOslo\tB-LOC\n", encoding="utf-8")
    tables = {**config.tables()["data"], "path": str(data), "image_folder": str(pictures)}
    with zipfile.ZipFile(BytesIO(pack_data(tables))) as archive:
        assert sorted(archive.namelist()) == ["images/a.png", "train.txt"]


def test_a_run_comes_back_whole_with_or_without_weights(tmp_path):
    run = tmp_path / "run"
    for name in ("metrics.json", "model.safetensors", "last/x.safetensors", "assets/t/vocab.txt"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(name, encoding="utf-8")
    load_run(pack_run(run, "model.safetensors"), tmp_path / "with")
    load_run(pack_run(run, ""), tmp_path / "without")

    def names(folder):
        return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())

    assert names(tmp_path / "with") == ["assets/t/vocab.txt", "metrics.json", "model.safetensors"]
    assert names(tmp_path / "without") == ["assets/t/vocab.txt", "metrics.json"]
    load_run(pack_run(run, ""), tmp_path / "with")
    assert names(tmp_path / "with") == names(tmp_path / "without")


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one CPU each, as far apart as one machine allows."""
    ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Else Ray gives its workers the lowest priority, behind all other tests.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
    nodes = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    nodes.add_node(num_cpus=1)
    yield nodes.address
    ray.shutdown()
    nodes.shutdown()


# Ray leaves sockets and files of its own to the garbage collector.
QUIET = pytest.mark.filterwarnings(
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore::FutureWarning",
)


@pytest.mark.process
@QUIET
def test_a_cluster_gives_the_figures_of_one_process(cluster, config, tmp_path):
    from mmseq.jobs.ray_pool import RayPool

    heard = []
    stopped = []

    def listen(job, event):
        heard.append((job.name, event))
        if job.name == "stopped" and event.kind == "epoch" and event.epoch == 2:
            stopped.append(event.f1)
            return "enough"
        return ""

    broken = config.replaced({"train.learning_rate": 1e30, "train.seed": 9})
    jobs = [
        Job(name, c.tables(), tmp_path / "out" / name, tmp_path / "logs" / f"{name}.txt", weights)
        for name, c, weights in (
            ("one", config, True),
            ("two", config.replaced({"train.seed": 2}), False),
            ("broken", broken, True),
            ("stopped", config.replaced({"train.seed": 3}), False),
        )
    ]
    pool = RayPool(cluster, threads=1)
    outcomes = {job.name: outcome for job, outcome in pool.run(iter(jobs), listen)}

    assert {name: o.status for name, o in outcomes.items()} == {
        "one": "done",
        "two": "done",
        "broken": "failed",
        "stopped": "done",
    }
    assert outcomes["broken"].error.startswith("The losses are not finite at step ")
    assert "not finite" in (tmp_path / "logs" / "broken.txt").read_text()
    # Two nodes of one CPU: two runs at a time, and no more.
    assert pool._room == 2
    for name, seed in (("one", 1), ("two", 2)):
        here = tmp_path / "here" / name
        own = config.replaced({"train.seed": seed}).tables()
        assert work(own, here, 1, lambda event: "") == ("done", "")
        there = tmp_path / "out" / name
        assert read_json(there / "metrics.json") == read_json(here / "metrics.json")
        for file in ("history.jsonl", "predictions/test.jsonl", "predictions/valid.jsonl"):
            assert (there / file).read_bytes() == (here / file).read_bytes()
    one = tmp_path / "out" / "one" / "model.safetensors"
    assert one.read_bytes() == (tmp_path / "here" / "one" / "model.safetensors").read_bytes()
    assert not (tmp_path / "out" / "two" / "model.safetensors").exists()
    # The answer to an epoch's event reached the run on its node.
    epochs = [e.epoch for name, e in heard if name == "stopped" and e.kind == "epoch"]
    assert epochs == [1, 2]
    assert len(stopped) == 1
    assert all(isinstance(event, Event) for _, event in heard)


@pytest.mark.process
@QUIET
def test_what_no_node_has_room_for_is_told(cluster):
    from mmseq.jobs.ray_pool import RayPool

    with pytest.raises(UserError, match=r"\(1 CPUs 0 GPUs, 1 CPUs 0 GPUs\)"):
        # Two CPUs in all, but a run lies on one node.
        RayPool(cluster, threads=2)
    with pytest.raises(UserError, match="--threads 1 --gpus 1"):
        RayPool(cluster, threads=1, gpus=1)


def test_without_ray_the_extra_is_named(monkeypatch):
    from mmseq.jobs.ray_pool import RayPool

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"pip install 'mmseq\[ray\]'"):
        RayPool()


ALONE = """
import json, os, subprocess, sys
from mmseq.jobs.ray_pool import RayPool
pool = RayPool(jobs=1)
import ray
address = ray.get_runtime_context().gcs_address
code = f"import ray; ray.init(address='{address}', logging_level=50)"
stranger = {k: v for k, v in os.environ.items() if not k.startswith("RAY_AUTH")}
come = subprocess.run([sys.executable, "-c", code], capture_output=True, env=stranger)
let_in = come.returncode == 0
import psutil
own = {p.pid for p in psutil.Process().children(recursive=True)} | {os.getpid()}
listening = [
    c.laddr.ip for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.pid in own
]
print(json.dumps([address, let_in, sorted(set(listening))]))
"""


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="which sockets listen is asked of Linux")
def test_a_new_cluster_is_this_machine_s_and_asks_for_a_token():
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    pytest.importorskip("psutil", reason="psutil, which tells what listens, is not installed")
    bare = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    # Apart from the cluster above; a socket's name has room for a short path.
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="r") as root:
        done = subprocess.run(
            [sys.executable, "-c", ALONE],
            capture_output=True,
            text=True,
            env={**bare, "RAY_TMPDIR": root},
            timeout=300,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    address, let_in, listening = json.loads(done.stdout.splitlines()[-1])
    assert address.startswith("127.0.0.1:")
    assert not let_in
    assert listening
    assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}
