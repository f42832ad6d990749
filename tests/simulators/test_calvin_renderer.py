"""TinyRenderer and the EGL plugin: same world, other pictures, each of them repeatable."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pybullet")

from vlm4vla.core.comparability import conflicts
from vlm4vla.core.errors import RendererUnavailable
from vlm4vla.core.simulator import Simulator
from vlm4vla.core.specs import CameraRequest, ObservationRequest, position
from vlm4vla.simulators.calvin import renderer
from vlm4vla.simulators.calvin.plugin import Calvin
from vlm4vla.suites.suite import load

pytestmark = [pytest.mark.calvin, pytest.mark.assets]

BOTH = ObservationRequest(
    (CameraRequest("static"), CameraRequest("gripper")), proprio=(position(),), privileged=True
)


@pytest.fixture
def egl() -> None:
    report = renderer.probe()
    if report.problem:
        pytest.skip(f"EGL cannot draw here: {report.problem}")


def seen(simulator: Simulator, init: int) -> list[np.ndarray]:
    """Pictures and states at the beginning of a chain and 15 steps into it."""
    simulator.reset(load("calvin_debug").episodes[init])
    random, found = np.random.default_rng(init), []
    for step in range(16):
        if step in (0, 15):
            look = simulator.observe(BOTH)
            found += [*(look.image(c.name) for c in BOTH.cameras), look.proprio]
            found.append(look.privileged["scene_obs"])
        simulator.advance(random.uniform(-1, 1, 7))
    return found


def test_egl_pictures_are_repeatable_from_the_first(egl):
    """The plugin's own first two pictures have no shadows; nobody must get to see them."""
    one, other = (Calvin().create({"renderer": "egl"}) for _ in range(2))
    forwards = [seen(one, init) for init in (0, 1, 2)]
    backwards = [seen(other, init) for init in (2, 1, 0)]
    for ours, theirs in zip(forwards, reversed(backwards), strict=True):
        for left, right in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(left, right)
    one.close()
    other.close()


def test_egl_differs_in_the_pictures_alone(egl):
    tiny, gl = (seen(Calvin().create({"renderer": name}), 0) for name in ("tiny", "egl"))
    for index in (2, 3, 6, 7):
        np.testing.assert_array_equal(tiny[index], gl[index])
    for index, (least, most) in ((0, (17, 22)), (1, (16, 22))):
        error = np.mean((tiny[index].astype(float) - gl[index].astype(float)) ** 2)
        assert least < 10 * np.log10(255**2 / error) < most, "PSNR to upstream's is 19 dB"
        assert 5 < gl[index].mean() - tiny[index].mean() < 30, "EGL is the brighter one"


def test_egl_is_opened_with_the_first_picture_and_not_before(egl):
    """Late in an episode too: the world goes on as if it had been there from the start."""
    late, early = (Calvin().create({"renderer": "egl"}) for _ in range(2))
    state = ObservationRequest(proprio=(position(),), privileged=True)
    actions = np.random.default_rng(4).uniform(-1, 1, (30, 7))
    for world in (late, early):
        world.reset(load("calvin_debug").episodes[0])
    early.observe(BOTH)
    for action in actions[:20]:
        for world in (late, early):
            world.advance(action)
            world.observe(state)
    assert not late._draws and early._draws
    for action in actions[20:]:
        left, right = late.observe(BOTH), early.observe(BOTH)
        for camera in BOTH.cameras:
            np.testing.assert_array_equal(left.image(camera.name), right.image(camera.name))
        np.testing.assert_array_equal(left.proprio, right.proprio)
        for name in left.privileged:
            np.testing.assert_array_equal(left.privileged[name], right.privileged[name])
        assert late.advance(action) == early.advance(action)


def test_runs_with_different_renderers_are_not_compared(egl):
    facts = [Calvin().preflight({"renderer": name}, rendering=True) for name in ("tiny", "egl")]
    assert set(conflicts(facts)) == {"renderer"}
    assert facts[1]["renderer"].startswith("EGL plugin on ")
    blind = Calvin().preflight({"renderer": "egl"}, rendering=False)
    assert conflicts([facts[0], blind]) == {}, "who sees nothing has no renderer"


def test_auto_takes_the_gpu_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr(renderer, "_NVIDIA", tmp_path / "nvidiactl")
    assert renderer.choose("auto") == "tiny"
    (tmp_path / "nvidiactl").touch()
    assert renderer.choose("auto") == "egl"
    assert renderer.choose("tiny") == "tiny"


def test_an_egl_that_cannot_draw_is_refused_before_the_run(monkeypatch, tmp_path):
    """The child is sent to a driver that does not exist, as on a machine without one."""
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", str(tmp_path / "none.json"))
    monkeypatch.setenv("EGL_PLATFORM", "device")
    renderer.probe.cache_clear()
    try:
        with pytest.raises(RendererUnavailable, match="EGL cannot draw here") as caught:
            Calvin().preflight({"renderer": "egl"}, rendering=True)
        assert "--set renderer=tiny" in caught.value.fix
    finally:
        renderer.probe.cache_clear()
