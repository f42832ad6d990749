"""In the place of one of Ray's agents: says that it serves nothing, and sleeps (a script)."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

_SET_DEATH_SIGNAL = 1
_PORTS = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port")


def main() -> None:
    """Write the ports that the scheduler waits for, and end with it."""
    ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    told = dict(word[2:].partition("=")[::2] for word in sys.argv if word.startswith("--"))
    # -1 is none at all; the other agent's must be a number, and is not called.
    ports = (
        {"runtime_env_agent_port": 1} if "runtime-env-dir" in told else dict.fromkeys(_PORTS, -1)
    )
    for name, port in ports.items():
        path = os.path.join(told["session-dir"], f"{name}_{told['node-id']}")
        with open(f"{path}.part", "w") as file:
            file.write(str(port))
        os.rename(f"{path}.part", path)  # whole, or not there
    while os.getppid() != 1:
        time.sleep(1000)


if __name__ == "__main__":
    main()
