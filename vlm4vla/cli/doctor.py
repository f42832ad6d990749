"""`bench doctor`: what is wrong with this machine, and the line that mends it."""

from __future__ import annotations

import typer

from vlm4vla.cli.options import JsonOption, StoreOption
from vlm4vla.cli.screen import print_json, screen
from vlm4vla.environments.checkup import checkup
from vlm4vla.store.files import room

_SIGNS = {"ok": ("ok   ", "green"), "note": ("note ", "yellow"), "wrong": ("WRONG", "bold red")}


def doctor(json_: JsonOption = False, store: StoreOption = None) -> None:
    """Check Python, packages, Ray, disk, GPU, every simulator and its renderer.

    Ends with 0 where nothing is wrong, else with 1.
    """
    console = screen()
    findings = []
    for finding in checkup(lambda: room(store)):
        findings.append(finding)
        if json_:
            continue
        sign, style = _SIGNS[finding.level]
        console.print(sign, style=style, end=" ")
        console.print(f"{finding.what}: {finding.detail}", soft_wrap=True)
        for line in finding.fix.splitlines() if finding.level != "ok" else ():
            console.print(f"      {line}", style="bold", soft_wrap=True)
    wrong = sum(finding.level == "wrong" for finding in findings)
    if json_:
        print_json(findings)
    else:
        console.print(f"\n{wrong} wrong" if wrong else "\nNothing is wrong.", style="bold")
    if wrong:
        raise typer.Exit(1)
