"""Writing what a camera saw, while the episode runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vlm4vla.core.errors import MissingDependency
from vlm4vla.core.simulator import Frames

if TYPE_CHECKING:
    import av.container
    import av.video.stream


class VideoWriter:
    """An H.264 mp4, written frame by frame; complete only after `close`."""

    def __init__(self, path: Path, fps: float) -> None:
        """Frames go to `path` at `fps` frames a second. Raises MissingDependency without PyAV."""
        require_av()
        self._path, self._fps = path, max(1, round(fps))
        self._container: av.container.OutputContainer | None = None
        self._stream: av.video.stream.VideoStream | None = None

    def add(self, frame: Frames) -> None:
        """Append one frame (H, W, 3), RGB; odd sizes lose their last row or column."""
        import av

        height, width = frame.shape[0] // 2 * 2, frame.shape[1] // 2 * 2
        if self._container is None or self._stream is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(str(self._path), "w")
            self._stream = self._container.add_stream("libx264", rate=self._fps)
            self._stream.width, self._stream.height = width, height
            self._stream.pix_fmt = "yuv420p"
            self._stream.options = {"crf": "20", "preset": "veryfast", "threads": "1"}
        picture = av.VideoFrame.from_ndarray(frame[:height, :width], format="rgb24")
        for packet in self._stream.encode(picture):
            self._container.mux(packet)

    def close(self) -> None:
        """Finish the file: a failed episode's video is worth seeing too."""
        if self._container is not None and self._stream is not None:
            for packet in self._stream.encode():
                self._container.mux(packet)
            self._container.close()
            self._container = self._stream = None


def require_av() -> None:
    """Raise MissingDependency unless PyAV can be imported."""
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise MissingDependency(
            "Videos need PyAV, which is not installed.", "pip install 'vlm4vla[video]'"
        ) from error
