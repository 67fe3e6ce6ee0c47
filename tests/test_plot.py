"""`mmseq plot`: the states that training has moved, drawn."""

import shutil
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from mmseq_mlmner.plot.clusters import cluster_plot
from mmseq_mlmner.plot.silhouette import silhouette
from safetensors.numpy import load_file

import mmseq
from mmseq.config.config import Config

CENTERS = "tasks.cluster.centers"


@pytest.fixture(scope="module")
def make(tiny_encoder, tiny_data, run_once):
    """`make(["cluster"], **options)`: a trained run with these tasks, each made once."""

    def run(aux, **settings):
        config = Config.from_layers(
            flags={
                "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
                "image_encoder": {"name": "timm", "model": "test_vit", "weights": "random"},
                "fusion": {"name": "none"},
            },
            aux=aux,
            settings={
                "data.path": str(tiny_data),
                "text_encoder.learning_rate": 1e-2,
                "train.epochs": 3,
                "train.batch_size": 4,
                "train.device": "cpu",
                **{name.replace("__", "."): value for name, value in settings.items()},
            },
        )
        return run_once(config)

    return run


@pytest.fixture
def run(make, tmp_path):
    """A run with the clustering task, the test's own."""
    return shutil.copytree(make(["cluster"]), tmp_path / "run")


def plane(vectors):
    """Mean and two principal axes from the covariance, signed as the plot has them."""
    values, columns = np.linalg.eigh(np.cov(vectors.astype(float), rowvar=False))
    axes = columns[:, np.argsort(values)[::-1][:2]].T
    largest = np.abs(axes).argmax(axis=1)
    return vectors.mean(axis=0), axes * np.sign(axes[[0, 1], largest])[:, None]


def means(states):
    types = np.array(states.types)
    return {name: states.vectors[types == name].mean(axis=0) for name in ("LOC", "PER")}


def drawn(axes):
    """Points and stars of LOC and PER in a panel."""
    offsets = {1: [], 4: []}
    for artist in axes.collections:
        offsets[artist.get_zorder()].append(np.asarray(artist.get_offsets()))
    colours = {tuple(a.get_facecolor()[0][:3]) for a in axes.collections}
    assert len(colours) == 2, "a star has the colour of its type's points"
    return np.concatenate(offsets[1]), np.concatenate(offsets[4])


@pytest.mark.parametrize("centers", ["pretrained", "ema", "learned", None])
def test_points_are_projected_states_and_stars_the_runs_own_centres(make, centers):
    run = make(["cluster"], aux__cluster__centers=centers) if centers else make([])
    figure, _ = cluster_plot(run, split="train")
    for axes, trained in zip(figure.axes, (False, True), strict=True):
        states = mmseq.entity_states(run, split="train", trained=trained)
        origin, basis = plane(states.vectors)
        stars = means(states)
        if trained and centers:
            # Labels are sorted, and so are the task's types.
            own = load_file(run / "model.safetensors")[CENTERS]
            assert np.abs(own - np.stack([stars["LOC"], stars["PER"]])).max() > 1e-3
            stars = dict(zip(("LOC", "PER"), own, strict=True))
        points, found = drawn(axes)
        expected = (states.vectors - origin) @ basis.T
        order = np.lexsort(points.T), np.lexsort(expected.T)
        np.testing.assert_allclose(points[order[0]], expected[order[1]], atol=1e-4)
        star_points = (np.stack([stars["LOC"], stars["PER"]]) - origin) @ basis.T
        np.testing.assert_allclose(found, star_points, atol=1e-4)
        names = [text.get_text() for text in axes.texts]
        assert names == ["LOC", "PER"]
        own = "the clustering task's centres" if trained and centers else "means of the words"
        assert own in axes.get_title()


def test_a_type_that_training_never_showed_has_its_own_mean(run, tmp_path):
    (tmp_path / "new.txt").write_text("Oslo\tB-LOC\nLima\tB-LOC\nCUP\tB-WORK\n")
    figure, _ = cluster_plot(run, data=str(tmp_path / "new.txt"))
    points, stars = drawn(figure.axes[1])
    assert (len(points), len(stars)) == (3, 2)
    # Of the more frequent type first: the last point is the only word of WORK.
    np.testing.assert_allclose(stars[1], points[2], atol=1e-5)
    states = mmseq.entity_states(run, data=tmp_path / "new.txt")
    origin, basis = plane(states.vectors)
    own = load_file(run / "model.safetensors")[CENTERS][0]
    np.testing.assert_allclose(stars[0], basis @ (own - origin), atol=1e-4)


def test_titles_and_line_have_the_silhouettes(run, run_cli):
    result = run_cli("plot", run, "--clusters", "--split", "train")
    assert result.code == 0, result.err
    states = [mmseq.entity_states(run, split="train", trained=t) for t in (False, True)]
    before, after = (silhouette(s.vectors, s.types) for s in states)
    line = (
        f"{run / 'clusters.png'}: entity words: {len(states[0].words)}; types: 2; "
        f"silhouette: {before:.3f} before training, {after:.3f} after"
    )
    assert result.out.splitlines()[-1] == line
    left, right = cluster_plot(run, split="train")[0].axes
    assert left.get_title().startswith(f"Before training: silhouette {before:.3f}\n")
    assert right.get_title().startswith(f"After training: silhouette {after:.3f}\n")


def test_a_png_in_the_run_is_made_anew_and_the_same(run, run_cli):
    assert run_cli("plot", run, "--clusters").code == 0
    first = (run / "clusters.png").read_bytes()
    assert first.startswith(b"\x89PNG\r\n\x1a\n")
    (run / "clusters.png").write_bytes(b"old")
    assert run_cli("plot", run, "--clusters").code == 0
    assert (run / "clusters.png").read_bytes() == first


def test_an_svg_is_xml_whose_names_are_text_and_repeats(run, tmp_path, run_cli):
    for name in ("a.svg", "b.SVG"):
        result = run_cli("plot", run, "--clusters", "--output", tmp_path / name)
        assert result.code == 0, result.err
    written = (tmp_path / "a.svg").read_bytes()
    assert (tmp_path / "b.SVG").read_bytes() == written
    root = ElementTree.fromstring(written)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    types = mmseq.entity_states(run).types
    assert texts.count("PER") == texts.count("LOC") == 2
    assert f"PER ({types.count('PER')})" in texts
    assert f"LOC ({types.count('LOC')})" in texts
    assert not (run / "clusters.png").exists()


def test_pictures_are_looked_at_and_missing_ones_told(make, tmp_path, run_cli):
    run = make(["cluster"], fusion__name="gate")
    (tmp_path / "none").mkdir()
    with_pictures = run_cli("plot", run, "--clusters", "--output", tmp_path / "a.png")
    without = run_cli(
        "plot", run, "--clusters", "--output", tmp_path / "b.png", "--images", tmp_path / "none"
    )
    assert with_pictures.code == without.code == 0
    assert "missing" in without.err
    assert "missing" not in with_pictures.err
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        ("Omar\tB-PER\nSaid\tI-PER\nLi\tB-PER\n", "words: 3; types: 1; silhouette: none before"),
        ("Oslo\tB-LOC\n", "words: 1; types: 1; silhouette: none"),
        ("Oslo\tB-LOC\n\nOslo\tB-PER\n", "words: 2; types: 2; silhouette: 0.000 before"),
        ("Oslo\tB-$_{LOC\nLi\tB-_PER\nNo\tB-a&<b>\n", "words: 3; types: 3"),
    ],
)
def test_little_or_odd_data_can_be_plotted(run, tmp_path, run_cli, lines, count):
    (tmp_path / "odd.txt").write_text(lines)
    target = tmp_path / "odd.svg"
    result = run_cli("plot", run, "--clusters", "--data", tmp_path / "odd.txt", "--output", target)
    assert result.code == 0, result.err
    assert count in result.out
    texts = [t.text for t in ElementTree.fromstring(target.read_bytes()).iter()]
    assert {line.split("-", 1)[1] for line in lines.split("\n") if line} <= set(texts)


def test_forty_types_and_more_have_looks_of_their_own(run, tmp_path):
    lines = "".join(f"Oslo\tB-T{i}\n" for i in range(45))
    (tmp_path / "many.txt").write_text(lines)
    figure, _ = cluster_plot(run, data=str(tmp_path / "many.txt"))
    points = [artist for artist in figure.axes[1].collections if artist.get_zorder() == 1]
    looks = {
        (tuple(p.get_facecolor()[0]), len(p.get_paths()[0].vertices), str(p.get_paths()[0]))
        for p in points
    }
    assert len(points) == 45
    assert len(looks) == 42  # six markers in seven colours; then they come again


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Say which plot: --clusters"),
        (["--clusters", "--output", "{}/a.jpg"], "a.jpg: "),
        (["--clusters", "--output", "{}/clusters"], ".png or .svg"),
        (["--clusters", "--output", "{}/absent/a.png"], "folder {}/absent"),
        (["--clusters", "--output", "{}/there.png"], "there.png: exists"),
        (["--clusters", "--output", "{}/" + "a" * 300 + ".png"], "(File name"),
        (["--clusters", "--data", "{}/absent"], "data folder {}/absent"),
        (["--clusters", "--data", "{}/data", "--split", "valid"], "{}/data: no data file"),
        (["--clusters", "--data", "{}/data"], "split 'test'"),
        (["--clusters", "--data", "{}/untagged.jsonl"], "split 'test'"),
        (["--clusters", "--split", "all"], "'all' is not one of"),
    ],
)
def test_bad_input_is_one_line(run, tmp_path, run_cli, arguments, words):
    (tmp_path / "there.png").write_bytes(b"mine")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "test.txt").write_text("so\tO\ntired\tO\n")
    (tmp_path / "untagged.jsonl").write_text('{"tokens": ["Oslo"]}\n')
    result = run_cli("plot", run, *(a.format(tmp_path) for a in arguments))
    assert result.code == 2
    assert words.format(tmp_path) in result.err
    assert len(result.err.strip().splitlines()) == 1
    assert (tmp_path / "there.png").read_bytes() == b"mine"
    assert not (run / "clusters.png").exists()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (shutil.rmtree, "No run folder"),
        (lambda run: (run / "model.safetensors").write_bytes(b"\0" * 99), "damaged"),
        (lambda run: [(run / n).unlink() for n in ("model.safetensors", "metrics.json")], "unfin"),
        (lambda run: (run / "clusters.png").mkdir(), "(Is a directory"),
        (
            lambda run: Config.from_file(
                run / "config.toml", {"text_encoder.model": "/nowhere/at/all"}
            ).save(run / "config.toml"),
            "text_encoder.model: no folder '/nowhere",
        ),
    ],
)
def test_a_run_that_cannot_be_plotted_is_one_line(run, run_cli, damage, words):
    damage(run)
    result = run_cli("plot", run, "--clusters")
    assert result.code == 2
    assert words in result.err
    assert len(result.err.strip().splitlines()) == 1


@pytest.mark.parametrize("package", ["matplotlib", "sklearn"])
def test_without_a_package_the_extra_is_named(run, run_cli, package, monkeypatch):
    for name in list(sys.modules):
        if name.startswith((f"{package}.", "mmseq_mlmner.plot.")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    done = run_cli("plot", run, "--clusters")
    assert done.code == 2
    assert package in done.err
    assert "pip install 'mmseq-mlmner[report]'" in done.err
    assert len(done.err.strip().splitlines()) == 1
