import resource
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from mmseq.builtins.images.timm import TimmEncoder
from mmseq.contracts.image_encoder import ImageEncoder, Pictures
from mmseq.contracts.states import Sizes
from mmseq.errors import UserError
from mmseq.pictures.features import FeatureStore, compute_features


@pytest.fixture(autouse=True)
def few_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def pictures(tmp_path):
    random = np.random.default_rng(0)
    paths = []
    for i in range(7):
        paths.append(tmp_path / f"{i}.png")
        noise = random.integers(0, 255, (40 + i, 60, 3), dtype=np.uint8)
        Image.fromarray(noise).save(paths[-1])
    return paths


@pytest.fixture(params=["test_resnet", "test_vit"])
def encoder(request):
    torch.manual_seed(0)
    return TimmEncoder(Sizes(("O",)), model=request.param, weights="random")


class Scaled(ImageEncoder):
    """Mean colour times a factor; counts the pictures it transforms."""

    def __init__(self, factor=1.0):
        super().__init__()
        self.width, self.learning_rate, self.opened = 3, 0.0, 0
        self.factor = factor
        self.dropout = nn.Dropout(0.5)

    @property
    def fingerprint(self):
        return f"scaled-{self.factor}"

    def transform(self, image):
        self.opened += 1
        return torch.from_numpy(np.array(image.resize((4, 4)))).permute(2, 0, 1) / 255

    def precompute(self, pixels):
        return {"mean": self.dropout(pixels.mean((2, 3)) * self.factor)}

    def forward(self, precomputed):
        mean = precomputed["mean"]
        return Pictures(mean[:, None], mean, torch.tensor([[0.0, 0.0, 1.0, 1.0]]))


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_store_never_changes_a_result(pictures, encoder, tmp_path):
    store = FeatureStore(tmp_path / "store")
    without = compute_features(pictures, encoder, store=None)
    filling = compute_features(pictures, encoder, store=store)
    reading = compute_features(pictures, encoder, store=FeatureStore(store.root))
    assert (filling.new, filling.reused) == (7, 0)
    assert (reading.new, reading.reused) == (0, 7)
    rows = without.rows(pictures)
    assert equal(rows, filling.rows(pictures))
    assert equal(rows, reading.rows(pictures))
    assert all(tensor.dtype == torch.float32 and len(tensor) == 7 for tensor in rows.values())
    assert all(torch.equal(tensor, tensor.half().float()) for tensor in rows.values())


def test_a_picture_alone_and_among_others_has_the_same_bits(pictures, encoder):
    among = compute_features(pictures, encoder, batch_size=4)
    for path in pictures:
        alone = compute_features([path], encoder, batch_size=4)
        assert equal(alone.rows([path]), among.rows([path]))


def test_rows_follow_the_order_asked_for(pictures):
    table = compute_features(pictures, Scaled(), batch_size=3)
    all_rows = table.rows(pictures)["mean"]
    assert torch.equal(table.rows([pictures[5], pictures[1]])["mean"], all_rows[[5, 1]])
    expected = np.asarray(Image.open(pictures[2]).resize((4, 4))).mean((0, 1)) / 255
    assert all_rows[2].numpy() == pytest.approx(expected, abs=1e-3)
    assert table.rows([]) == {}


def test_one_content_under_two_paths_is_computed_once(pictures, tmp_path):
    copy = tmp_path / "copy.png"
    shutil.copy(pictures[0], copy)
    encoder = Scaled()
    table = compute_features([pictures[0], copy, pictures[0]], encoder)
    assert (table.new, encoder.opened) == (1, 1)
    assert equal(table.rows([copy]), table.rows([pictures[0]]))


class AskedForThreads(Scaled):
    """Notes how many threads torch has, where pictures are transformed and where they are read."""

    def __init__(self):
        super().__init__()
        self.transforming, self.computing = set(), set()

    def transform(self, image):
        self.transforming.add(torch.get_num_threads())
        return super().transform(image)

    def precompute(self, pixels):
        self.computing.add(torch.get_num_threads())
        return super().precompute(pixels)


def test_torch_has_its_threads_for_the_encoder_and_one_for_each_picture(pictures):
    torch.set_num_threads(3)
    encoder = AskedForThreads()
    compute_features(pictures, encoder, batch_size=2)
    assert (encoder.transforming, encoder.computing) == ({1}, {3})
    with ThreadPoolExecutor(1) as later:
        assert later.submit(torch.get_num_threads).result() == 3


def test_problems_are_told_and_never_replaced(pictures, tmp_path):
    broken = [tmp_path / name for name in ("broken.jpg", "same.jpg", "none.jpg", "tiny.png")]
    broken[0].write_bytes(b"no picture")
    broken[1].write_bytes(b"no picture")
    Image.new("RGB", (3, 3)).save(broken[3])
    table = compute_features([*broken, *pictures], Scaled(), batch_size=2)
    kinds = [table.problems[path].kind for path in broken]
    assert kinds == ["unreadable", "unreadable", "missing", "tiny"]
    assert [table.problems[path].path for path in broken] == broken
    assert table.new == 7
    assert not any(table.has(path) for path in broken)
    assert all(table.has(path) for path in pictures)
    with pytest.raises(KeyError):
        table.rows([broken[0]])


def test_nothing_to_compute():
    table = compute_features([], Scaled())
    assert (table.new, table.reused, table.problems, table.rows([])) == (0, 0, {}, {})


def test_a_damaged_row_is_computed_again_and_said(pictures, tmp_path):
    store = FeatureStore(tmp_path / "store")
    encoder = Scaled()
    rows = compute_features(pictures, encoder, store=store).rows(pictures)
    path = store.root / encoder.fingerprint / "rows.bin"
    data = bytearray(path.read_bytes())
    data[0] ^= 255
    path.write_bytes(data)
    table = compute_features(pictures, encoder, store=store)
    assert (table.new, table.reused) == (1, 6)
    assert table.notes == [
        f"1 stored picture features in {path.parent} do not match their checksums and are computed "
        "again."
    ]
    assert equal(table.rows(pictures), rows)
    assert compute_features(pictures, encoder, store=store).reused == 7


def test_other_weights_are_other_features(pictures, tmp_path):
    store = FeatureStore(tmp_path / "store")
    compute_features(pictures, Scaled(1.0), store=store)
    table = compute_features(pictures, Scaled(2.0), store=store)
    assert table.reused == 0
    assert compute_features(pictures, Scaled(1.0), store=store).reused == 7


def test_progress_counts_pictures(pictures, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"x")
    seen = []
    compute_features(
        [*pictures, tmp_path / "broken.jpg"],
        Scaled(),
        batch_size=4,
        advance=lambda count, text="": seen.append(count),
    )
    assert seen == [4, 4]


def test_precompute_runs_without_dropout_and_leaves_the_mode(pictures):
    encoder = Scaled().train()
    one = compute_features(pictures, encoder).rows(pictures)
    assert equal(one, compute_features(pictures, encoder).rows(pictures))
    assert encoder.training


@pytest.mark.parametrize("factor", [1e6, float("inf"), float("nan")])
def test_what_does_not_fit_half_precision_is_an_error_naming_the_encoder(pictures, factor):
    with pytest.raises(UserError, match="Scaled .*'mean'.*half precision"):
        compute_features(pictures, Scaled(factor))


def test_without_a_fingerprint_nothing_is_kept(pictures, tmp_path):
    encoder = TimmEncoder(Sizes(("O",)), model="test_resnet", weights="random", train="all")
    missing = tmp_path / "none.jpg"
    store = FeatureStore(tmp_path / "store")
    table = compute_features([*pictures, missing], encoder, store=store)
    assert not store.root.exists()
    assert list(table.problems) == [missing]
    rows = table.rows(pictures[:2])
    expected = [encoder.transform(Image.open(path).convert("RGB")) for path in pictures[:2]]
    assert torch.equal(rows["pixels"], torch.stack(expected))
    with pytest.raises(KeyError):
        table.rows([missing])


def test_a_deleted_store_is_filled_again(pictures, tmp_path):
    store = FeatureStore(tmp_path / "store")
    encoder = Scaled()
    compute_features(pictures, encoder, store=store)
    shutil.rmtree(store.root)
    table = compute_features(pictures, encoder, store=store)
    assert (table.new, table.reused) == (7, 0)


def test_a_store_that_cannot_be_written_is_left_out_and_said(pictures, tmp_path):
    (tmp_path / "file").touch()
    encoder = Scaled()
    table = compute_features(pictures, encoder, store=FeatureStore(tmp_path / "file"))
    assert equal(table.rows(pictures), compute_features(pictures, encoder).rows(pictures))
    assert (table.new, table.reused, len(table.warnings)) == (7, 0, 1)
    assert str(tmp_path / "file") in table.warnings[0]
    assert table.warnings[0].endswith("Until then features stay in memory.")


@pytest.mark.process
def test_a_full_disk_leaves_what_is_stored_and_the_rest_in_memory(pictures, tmp_path):
    """The limit on the size of files ends writing as a full disk does."""
    store = FeatureStore(tmp_path / "store")
    compute_features(pictures[:2], Scaled(), store=store)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, before[1]))
        table = compute_features(pictures, Scaled(), store=store, batch_size=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    assert equal(table.rows(pictures), compute_features(pictures, Scaled()).rows(pictures))
    assert (table.new, table.reused, len(table.warnings)) == (5, 2, 1)


class Counted(TimmEncoder):
    """Counts the pictures that pass through the model."""

    passed = 0

    def precompute(self, pixels):
        self.passed += len(pixels)
        return super().precompute(pixels)


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("model", ["test_resnet", "test_vit", "tf_efficientnet_lite0"])
def test_one_new_picture_costs_one_and_has_the_bits_of_a_batch(pictures, model, threads):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    encoder = Counted(Sizes(("O",)), model=model, weights="random", train="frozen")
    among = compute_features(pictures, encoder, batch_size=16)
    # The first batch is padded, and its first picture is tried alone.
    assert encoder.passed == 17
    for number, path in enumerate(pictures, 1):
        alone = compute_features([path], encoder, batch_size=16)
        assert equal(alone.rows([path]), among.rows([path]))
        assert encoder.passed == 17 + number


class Centred(Scaled):
    """What a picture gets depends on how many others there are."""

    def precompute(self, pixels):
        self.sizes = [*getattr(self, "sizes", []), len(pixels)]
        return {"mean": pixels.mean((2, 3)) + len(pixels)}


def test_where_a_batch_of_one_gives_other_bits_it_is_padded(pictures):
    encoder = Centred()
    among = compute_features(pictures, encoder, batch_size=16)
    alone = compute_features(pictures[:1], encoder, batch_size=16)
    assert equal(alone.rows(pictures[:1]), among.rows(pictures[:1]))
    assert encoder.sizes == [16, 1, 16]
