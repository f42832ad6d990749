"""Where pretrained weights are on this machine. Nothing is ever fetched; torch-free."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from vlm4vla.core.errors import BadInput, MissingAsset, MissingDependency

EXTRA = 'pip install "vlm4vla[models]"'


def locate(source: str | Path) -> Path:
    """The folder behind a local path or a Hugging Face id that was downloaded before.

    Raises MissingAsset with the command that fetches it.
    """
    if not str(source):
        raise BadInput(
            "This backbone has no pretrained weights of its own.", "Name a folder: --source FOLDER"
        )
    folder = Path(source).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise MissingAsset(f"{folder} holds no model: it has no config.json.")
        return folder
    if str(source).count("/") != 1 or str(source).startswith((".", "/", "~")):
        raise MissingAsset(f"There is no folder {folder}.")
    require("huggingface_hub")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(str(source), local_files_only=True))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise MissingAsset(
            f"The weights of {source} are not on this machine, and nothing is fetched unasked.",
            f"hf download {source}",
        ) from error


def require(*packages: str) -> None:
    """Raise MissingDependency unless all of them are installed."""
    for package in packages:
        if find_spec(package) is None:
            raise MissingDependency(f"Networks need {package}, which is not installed.", EXTRA)
