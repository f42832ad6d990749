"""Pictures out of files: encoded bytes, and single frames of an mp4."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vlm4vla.core.errors import InvalidFile, MissingDependency
from vlm4vla.core.simulator import Frames

if TYPE_CHECKING:
    from av.container import InputContainer

_OPEN_FILMS = 8


def decode(data: bytes, source: str) -> Frames:
    """(H, W, 3) uint8 RGB of PNG or JPEG bytes. Raises InvalidFile."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as picture:
            return np.asarray(picture.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise InvalidFile(f"{source}: a picture cannot be read: {error}.") from error


def read_frame(path: Path, seconds: float) -> Frames:
    """(H, W, 3) uint8 RGB: the frame of the film shown nearest to `seconds`. Raises InvalidFile."""
    try:
        import av
    except ImportError as error:
        raise MissingDependency(
            f"{path} is a film; PyAV reads it.", 'pip install "vlm4vla[video]"'
        ) from error
    try:
        film = _film(path)
        stream = film.streams.video[0]
        assert stream.time_base is not None
        film.seek(max(0, int(seconds / stream.time_base)), stream=stream)
        best, distance = None, float("inf")
        for frame in film.decode(stream):
            if frame.time is None:
                continue
            if abs(frame.time - seconds) < distance:
                best, distance = frame, abs(frame.time - seconds)
            if frame.time >= seconds:
                break
    except (av.error.FFmpegError, OSError, IndexError) as error:
        raise InvalidFile(f"{path} cannot be read as a film: {error}.") from error
    if best is None or distance > 0.5:
        raise InvalidFile(f"{path} has no frame at {seconds:.3f} s.")
    return np.asarray(best.to_ndarray(format="rgb24"), np.uint8)


@lru_cache(maxsize=_OPEN_FILMS)
def _film(path: Path) -> InputContainer:
    """Films stay open: finding the next sample in one costs a seek, not an opening."""
    import av

    film: InputContainer = av.open(str(path))
    return film
