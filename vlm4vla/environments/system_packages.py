"""Debian packages that a simulator needs (Vulkan driver, fonts), installed or named.

`python -m vlm4vla.environments.system_packages grinningface` works with the standard library alone,
so that a machine can be made ready before anything else is installed. It may be repeated: what is
there is left alone. Without root it prints the line to type and succeeds.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlm4vla.core.environment import Environment, load_environment
from vlm4vla.core.errors import BenchError, MissingDependency
from vlm4vla.environments import processes

DRIVER = "mesa-vulkan-drivers"
SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
OLD_SOURCES = Path("/etc/apt/sources.list")
BACKPORTS = Path("/etc/apt/sources.list.d/vlm4vla-backports.sources")
LIMIT_S = 900.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Lack:
    """What the system does not have."""

    packages: tuple[str, ...] = ()
    """Absent packages, as the environment names them."""
    driver: str = ""
    """Installed version of Mesa's Vulkan driver where it is too old."""

    def __bool__(self) -> bool:
        """Whether anything is lacking."""
        return bool(self.packages or self.driver)

    def __str__(self) -> str:
        """What is lacking, in words."""
        old = [f"{DRIVER} {self.driver} is too old"] if self.driver else []
        return "; ".join([*(f"{name} is missing" for name in self.packages), *old])


def lacking(environment: Environment) -> Lack:
    """What of the environment's packages the system does not have; MissingDependency if unknown."""
    if not environment.apt:
        return Lack()
    if shutil.which("dpkg-query") is None:
        raise MissingDependency(
            f"No Debian or Ubuntu: whether {', '.join(environment.apt)} are here is unknown.",
            "Install what your system calls them; `bench doctor` tries the renderer itself.",
        )
    versions = {name: _installed(name) for name in environment.apt}
    driver = versions.get(DRIVER, "")
    return Lack(
        tuple(name for name, found in versions.items() if not found),
        driver if driver and major(driver) < environment.mesa else "",
    )


def install(environment: Environment, say: Say) -> bool:
    """Install what is lacking; whether the system has everything now. Says each step."""
    lack = lacking(environment)
    if not lack:
        return True
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        say(f"{lack}. Type:\n  {command_line(environment.name)}")
        return False
    say(f"{lack}: installing")
    _apt("update")
    wanted = [*map(_offered, lack.packages), *([DRIVER] if lack.driver else [])]
    bring = "install", "-y", "--no-install-recommends"
    if DRIVER in wanted and (release := _backports_with_driver(environment.mesa, say)):
        _apt(*bring, "-t", release, DRIVER, "libvulkan1")
        wanted.remove(DRIVER)
    if wanted:
        _apt(*bring, *wanted)
    left = lacking(environment)
    if left:
        say(f"After installation still: {left}.")
    return not left


def command_line(name: str) -> str:
    """What a user without root has to type."""
    return f"sudo {shlex.quote(sys.executable)} -m vlm4vla.environments.system_packages {name}"


def major(version: str) -> int:
    """The major version in a Debian version such as `25.0.7-2~bpo12+1`."""
    found = re.match(r"(?:\d+:)?(\d+)", version)
    return int(found.group(1)) if found else 0


def backports_source(sources: str, codename: str) -> str:
    """The deb822 stanza of the backports, from the machine's own `debian.sources`.

    So no host is named here, and a mirror is kept. Empty where no stanza offers `codename` itself.
    """
    for stanza in re.split(r"\n\s*\n", sources):
        lines = [line for line in stanza.splitlines() if not line.startswith("#")]
        suites = [line.partition(":")[2].split() for line in lines if line.startswith("Suites:")]
        if suites and codename in suites[0]:
            kept = [line for line in lines if not line.startswith(("Suites:", "Components:"))]
            return "\n".join([*kept, f"Suites: {codename}-backports", "Components: main", ""])
    return ""


def backports_from_list(sources: str, codename: str) -> str:
    """The same from the older one-line format of `/etc/apt/sources.list`."""
    stanzas = []
    for options, uri, suite in re.findall(r"(?m)^deb\s+(\[[^]]*\]\s+)?(\S+)\s+(\S+)\s", sources):
        signed = re.findall(r"signed-by=([^\s\]]+)", options)
        keys = "".join(f"\nSigned-By: {key}" for key in signed)
        stanzas.append(f"Types: deb\nURIs: {uri}\nSuites: {suite}{keys}")
    return backports_source("\n\n".join(stanzas), codename)


def _backports_with_driver(mesa: int, say: Say) -> str:
    """The backports release to take the driver from; empty where the distribution's own will do."""
    if major(_candidate()) >= mesa:
        return ""
    try:
        system = platform.freedesktop_os_release()
    except OSError:
        system = {}
    codename = system.get("VERSION_CODENAME", "")
    release = f"{codename}-backports"
    if system.get("ID") != "debian" or not codename:
        say(f"This system offers Mesa {_candidate() or 'not at all'}; version {mesa} is needed.")
        return ""
    if major(_candidate(release)) < mesa:
        new, old = (path.read_text() if path.is_file() else "" for path in (SOURCES, OLD_SOURCES))
        source = backports_source(new, codename) or backports_from_list(old, codename)
        if not source:
            say(f"No apt source for {codename} was found: add {release} by hand.")
            return ""
        say(f"adding {release} to the apt sources ({BACKPORTS})")
        BACKPORTS.write_text(source)
        _apt("update")
    return release


def _names(entry: str) -> list[str]:
    """The names under which releases have a package: `old | new`."""
    return [name.strip() for name in entry.split("|")]


def _offered(entry: str) -> str:
    """The name that apt can install here; the first one where it knows none, for its message."""
    return next((name for name in _names(entry) if _candidate(name=name)), _names(entry)[0])


def _candidate(release: str = "", name: str = DRIVER) -> str:
    """The version of a package that apt would install."""
    chosen = ["-t", release] if release else []
    found = re.search(r"Candidate: (\S+)", _output(["apt-cache", *chosen, "policy", name]))
    return found[1] if found and found[1] != "(none)" else ""


def _installed(name: str) -> str:
    """The installed version of a Debian package under any of its names, or an empty string."""
    form = "${db:Status-Status} ${Version}\n"
    text = _output(["dpkg-query", "-W", "-f", form, *_names(name)])
    found = re.search(r"^installed (\S+)$", text, re.MULTILINE)
    return found[1] if found else ""


def _output(command: Sequence[str]) -> str:
    # A package that dpkg or apt does not know is an answer, not an error.
    plain = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=plain).stdout


def _apt(*arguments: str) -> None:
    """Run apt-get without questions; MissingDependency with its last words if it fails."""
    variables = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    processes.install(["apt-get", "-q", *arguments], "apt-get failed", LIMIT_S, variables)


def main(names: Sequence[str]) -> int:
    """Make the system ready for these environments; 2 on a mistake, 0 otherwise."""
    try:
        for name in names:
            if install(load_environment(name), print):
                print(f"system packages of {name}: ready")
    except BenchError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
