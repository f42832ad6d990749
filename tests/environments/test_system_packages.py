"""Debian packages: the backports' source comes from the machine's own, and repeating is free."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from vlm4vla.core.environment import Environment
from vlm4vla.environments import system_packages
from vlm4vla.environments.system_packages import (
    Lack,
    backports_from_list,
    backports_source,
    install,
    lacking,
    major,
)

DEBIAN = pytest.mark.skipif(not shutil.which("dpkg-query"), reason="asks Debian's dpkg")
SOURCES = """\
Types: deb deb-src
# a mirror near by
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""


def test_the_backports_come_from_the_machines_own_mirror():
    assert backports_source(SOURCES, "bookworm").splitlines() == [
        "Types: deb deb-src",
        "URIs: http://mirror.example/debian",
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg",
        "Suites: bookworm-backports",
        "Components: main",
    ]
    assert backports_source(SOURCES, "trixie") == ""


def test_the_older_format_is_understood():
    old = (
        "# comment\ndeb http://security.example bookworm-security main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main\n"
    )
    assert backports_from_list(old, "bookworm").splitlines() == [
        "Types: deb",
        "URIs: http://mirror.example/debian",
        "Signed-By: /k.gpg",
        "Suites: bookworm-backports",
        "Components: main",
    ]
    assert backports_from_list(old, "trixie") == ""


@pytest.mark.parametrize(
    ("version", "expected"),
    [("25.0.7-2~bpo12+1", 25), ("22.3.6-1+deb12u1", 22), ("1:24.2-1", 24), ("", 0)],
)
def test_debian_versions_have_a_major(version, expected):
    assert major(version) == expected


@DEBIAN
def test_what_is_there_is_seen_and_what_is_not_is_named():
    here = Environment("x", apt=("dpkg", "no-such-package-of-vlm4vla"))
    assert lacking(here) == Lack(("no-such-package-of-vlm4vla",))
    assert not lacking(Environment("x", apt=("dpkg", "bash")))
    assert "no-such-package-of-vlm4vla is missing" in str(lacking(here))


@DEBIAN
def test_a_package_may_have_another_name_in_another_release():
    assert not lacking(Environment("x", apt=("no-such-package-of-vlm4vla | dpkg",)))
    assert lacking(Environment("x", apt=("no-such-package-of-vlm4vla | nor-this-one",)))
    assert system_packages._offered("no-such-package-of-vlm4vla | dpkg") == "dpkg"


@DEBIAN
@pytest.mark.grinningface
def test_an_old_driver_is_too_old():
    """Against the driver installed here, which the emoji task runs on."""
    driver = system_packages.DRIVER
    assert not lacking(Environment("x", apt=(driver,), mesa=24))
    demanding = lacking(Environment("x", apt=(driver,), mesa=999))
    assert demanding.driver and "too old" in str(demanding)


@DEBIAN
def test_without_root_the_line_to_type_is_said(monkeypatch):
    monkeypatch.setattr(system_packages.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(system_packages, "_apt", lambda *arguments: pytest.fail("apt was run"))
    said = []
    assert not install(Environment("world", apt=("no-such-package-of-vlm4vla",)), said.append)
    assert f"sudo {sys.executable} -m vlm4vla.environments.system_packages world" in said[0]


@DEBIAN
def test_what_is_ready_is_left_alone(monkeypatch):
    monkeypatch.setattr(system_packages, "_apt", lambda *arguments: pytest.fail("apt was run"))
    assert install(Environment("world", apt=("dpkg",)), lambda text: pytest.fail(text))


def test_it_runs_before_anything_is_installed():
    """With the standard library alone (-S: no site-packages), as on a new machine."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from vlm4vla.environments.system_packages import main; sys.exit(main(['toy']))"
    )
    root = system_packages.__file__.rsplit("/vlm4vla/", 1)[0]
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, root], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "system packages of toy: ready\n"), done.stderr
