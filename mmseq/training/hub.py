"""Models of the Hugging Face Hub: all that are missing are named at once, before any work."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
from huggingface_hub.file_download import repo_folder_name

from mmseq.config.config import Choice, Config
from mmseq.errors import UserError, one_line
from mmseq.model import calls
from mmseq.model.needs import needed_image_encoder
from mmseq.packaged import quiet_hub

WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")
WAIT = 10.0
"""Seconds for an answer of the Hub"""


def require_models(configs: Iterable[Config]) -> None:
    """`UserError` naming every model of the Hub that the `configs` are made of and that is not on
    this machine, where the Hub cannot be reached.
    """
    quiet_hub()
    missing: dict[str, str] = {}
    for config in configs:
        chosen: list[Choice | None] = [config.component("text_encoder")]
        # A config without one that it needs is told where the model is built.
        with suppress(UserError):
            chosen.append(needed_image_encoder(config))
        for choice in filter(None, chosen):
            title, encoder = choice.entry.full_title, choice.entry.load()
            models = calls.hub_models(title, encoder, choice.options)
            what = choice.entry.kind.replace("_", " ")
            missing |= {model: what for model in models if not _is_here(model)}
    if missing and (reason := _unreachable(next(iter(missing)))):
        named = ", ".join(f"{model} ({what})" for model, what in missing.items())
        number = "A model is" if len(missing) == 1 else f"{len(missing)} models are"
        loads = "; ".join(f"hf download {model}" for model in missing)
        raise UserError(
            f"{number} not on this machine, and {reason}: {named}. Take packaged encoders "
            f"(--offline), or download where there is a network: {loads}."
        )


def _is_here(model: str) -> bool:
    """Whether weights of it are in the cache; a name that can be no id is another's to refuse."""
    try:
        folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=model, repo_type="model")
        hf_hub_url(model, "config.json")
    except (HFValidationError, ValueError):
        return True
    return any(path.suffix in WEIGHTS for path in (folder / "snapshots").rglob("*"))


def _unreachable(model: str) -> str:
    """Why the Hub gives no answer; empty where it does, even if it is that there is no such model,
    which is told where that is loaded.
    """
    try:
        get_hf_file_metadata(hf_hub_url(model, "config.json"), timeout=WAIT)
    except OfflineModeIsEnabled:
        return "downloads are turned off (HF_HUB_OFFLINE)"
    except HfHubHTTPError as error:
        busy = error.response is not None and error.response.status_code >= 500
        return f"the Hugging Face Hub does not serve it ({one_line(error)})" if busy else ""
    # What the library under the Hub's raises has no name that lasts.
    except Exception as error:
        return f"the Hugging Face Hub cannot be reached ({one_line(error)})"
    return ""
