"""What the policy's camera sees: cards upright, unmirrored, in place; every picture the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.simulators.emoji_task import episode, simulator
from vlm4vla.core.errors import MissingAsset, RendererUnavailable
from vlm4vla.core.specs import CameraRequest, ObservationRequest
from vlm4vla.simulators import sapien_renderer
from vlm4vla.simulators.grinningface import art
from vlm4vla.suites.emojis import emojis

pytestmark = pytest.mark.grinningface
ROBOTS = ["panda", pytest.param("widowx", marks=pytest.mark.assets)]
SIZE = 768
EYE, LOOK_AT, FOV = np.array([-0.15, 0.49, 0.564]), np.array([0.15, 0.65, 0.0]), 1.2


def _picture(world, height: int = SIZE, width: int = SIZE) -> np.ndarray:
    request = ObservationRequest((CameraRequest("view", height, width),))
    return world.observe(request).image("view")


def _pixels(points: np.ndarray) -> np.ndarray:
    """Pinhole projection of world points (N, 3) to (row, column)."""
    forward = (LOOK_AT - EYE) / np.linalg.norm(LOOK_AT - EYE)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    local = (points - EYE) @ np.stack([right, down, forward]).T
    focal = SIZE / 2 / np.tan(FOV / 2)
    return (local[:, 1::-1] / local[:, 2:] * focal + SIZE / 2).round().astype(int)


def _card(picture: np.ndarray, centre: tuple[float, float], shape: tuple[int, int]) -> np.ndarray:
    """The card's top as seen from above: rows from far to near, columns from left to right."""
    rows, columns = shape
    far = np.linspace(0.07, -0.07, rows + 2)[1:-1]
    left = np.linspace(0.07, -0.07, columns + 2)[1:-1]
    x, y = np.meshgrid(far + centre[0], left + centre[1], indexing="ij")
    points = np.stack([x, y, np.full_like(x, 0.002)], -1).reshape(-1, 3)
    where = _pixels(points)
    return picture[where[:, 0], where[:, 1]].reshape(rows, columns, 3).astype(float)


def _likeness(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def _turns(image: np.ndarray) -> list[np.ndarray]:
    """The image as it is, then its seven rotations and reflections, all of its own shape."""
    square = np.asarray(Image.fromarray(image.astype(np.uint8)).resize((165, 165)), float)
    return [np.rot90(mirror, k) for mirror in (square, square[:, ::-1]) for k in range(4)]


@pytest.mark.parametrize("init", [0, 4, 9])
def test_cards_read_upright_and_lie_in_their_places(init: int) -> None:
    start = episode("panda", "hard", init)
    world = simulator("panda")
    world.reset(start)
    picture = _picture(world)
    faces = [art.face(code, "noto") for code in start.setup["emojis"]]
    for index, centre in enumerate(start.setup["cards_xy"]):
        seen = _card(picture, centre, (165, 165))
        scores = [_likeness(seen, turned) for turned in _turns(faces[index])]
        assert int(np.argmax(scores)) == 0 and scores[0] > 0.8, (
            start.setup["names"][index],
            scores,
        )
        others = [_likeness(seen, _turns(face)[0]) for face in faces]
        assert int(np.argmax(others)) == index


def test_the_cards_top_is_up_and_their_order_is_left_to_right() -> None:
    top, bottom = _pixels(np.array([[0.27, 0.7, 0], [0.13, 0.7, 0]]))
    assert top[0] < bottom[0]
    columns = _pixels(np.array([[0.2, y, 0] for y in (0.9, 0.7, 0.5)]))[:, 1]
    assert list(columns) == sorted(columns)


@pytest.mark.parametrize("robot", ROBOTS)
def test_the_first_picture_is_like_every_other(robot: str) -> None:
    world, start = simulator(robot), episode(robot)
    world.reset(start)
    first = _picture(world, 224, 224)
    assert first.std() > 20
    np.testing.assert_array_equal(first, _picture(world, 224, 224))
    wide = _picture(world, 120, 200)
    assert wide.shape == (120, 200, 3)
    np.testing.assert_array_equal(first, _picture(world, 224, 224))
    world.reset(episode(robot, init=1))
    assert (_picture(world, 224, 224) != first).any()


@pytest.mark.parametrize("robot", ROBOTS)
def test_the_cube_is_where_the_manifest_says(robot: str) -> None:
    world, start = simulator(robot), episode(robot)
    world.reset(start)
    row, column = _pixels(np.array([[*start.setup["cube_xy"], 0.03]]))[0]
    red, green, blue = _picture(world)[row, column].astype(int)
    assert blue > 1.5 * red and blue > 1.5 * green


def test_every_emoji_is_in_the_font() -> None:
    assert art.missing([each.code for each in emojis()], "noto") == []
    blank = art.face("1F610", "noto")
    assert blank.shape == (165, 187, 3)
    assert (blank[:, :10] == 255).all()  # upstream's margins
    drawn = {art.face(each.code, "noto").tobytes() for each in emojis()}
    assert len(drawn) == 328


def test_art_can_come_from_a_folder(tmp_path: Path) -> None:
    start = episode("panda")
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    for code, colour in zip(start.setup["emojis"], colours, strict=True):
        Image.new("RGB", (40, 40), colour).save(tmp_path / f"{code}.png")
    world = simulator("panda", art=str(tmp_path))
    world.reset(start)
    picture = _picture(world)
    for index, centre in enumerate(start.setup["cards_xy"]):
        assert int(_card(picture, centre, (9, 9))[4, 4].argmax()) == index
    before = art.version(str(tmp_path))
    (tmp_path / f"{start.setup['emojis'][0]}.png").unlink()
    assert art.version(str(tmp_path)) != before
    with pytest.raises(MissingAsset, match=start.setup["emojis"][0]):
        art.face(start.setup["emojis"][0], str(tmp_path))


def test_probe_answers_from_another_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sapien_renderer.probe.cache_clear()
    report = sapien_renderer.probe()
    assert report.works and report.device
    monkeypatch.setenv("VK_ICD_FILENAMES", str(tmp_path / "none.json"))
    monkeypatch.setenv("VK_DRIVER_FILES", str(tmp_path / "none.json"))
    sapien_renderer.probe.cache_clear()
    broken = sapien_renderer.probe()
    with pytest.raises(RendererUnavailable, match="SAPIEN cannot open a renderer") as caught:
        sapien_renderer.require()
    sapien_renderer.probe.cache_clear()
    assert not broken.works and broken.problem and "mesa-vulkan-drivers" in caught.value.fix
