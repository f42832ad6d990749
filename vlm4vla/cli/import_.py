"""`bench import`: other harnesses' results into the store, beside ours and never among them."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from vlm4vla.cli.options import JsonOption, StoreOption
from vlm4vla.cli.screen import print_json
from vlm4vla.core.errors import BadInput, OutOfRange
from vlm4vla.store import Store, reading
from vlm4vla.store.importers import Asked, enter, read


def import_(
    files: Annotated[list[Path] | None, typer.Argument(help="Result files.")] = None,
    format_: Annotated[
        str | None, "vla-eval, vlm4vla, vlmevalkit, lmms-eval, audit or csv [told from the file]."
    ] = None,
    policy: Annotated[str, "Whose result, where the file does not say."] = "",
    suite: Annotated[str, "On which suite, where the file does not say."] = "",
    model: Annotated[str, "Whose score, where the file does not say."] = "",
    selected_from: Annotated[
        int,
        typer.Option(metavar="K", help="Results are the best of K tried on the same episodes."),
    ] = 1,
    list_: Annotated[bool, "What has been imported."] = False,
    remove: Annotated[
        str | None, typer.Option(metavar="ID", help="Take an import out again.")
    ] = None,
    json_: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Import results of vla-eval, VLM4VLA, RoboVLMs, VLMEvalKit, lmms-eval, or plain CSV."""
    if list_:
        _list(store, json_)
    elif remove is not None:
        with reading(store):
            pass  # it must be there: taking something out of nothing makes no store
        with Store.open(store, create=True) as opened:
            opened.library.remove(remove)
        print(f"Removed {remove}.")
    elif not files:
        raise BadInput("No file was named.", "bench import FILE, or --list, or --remove ID")
    elif selected_from < 1:
        raise OutOfRange(f"--selected-from {selected_from} must be at least 1.")
    else:
        _enter(files, Asked(policy, suite, model), format_, selected_from, store)


def _enter(
    files: list[Path], asked: Asked, format_: str | None, selected_from: int, store: str | None
) -> None:
    # All are read before any is entered: a mistake in the third leaves nothing half done.
    found = [(path, read(path, asked, format_)) for path in files]
    command = "bench " + " ".join(sys.argv[1:])
    with Store.open(store, create=True) as opened:
        for path, content in found:
            source = enter(opened.library, path, content, command, selected_from)
            if source is None:
                what = (
                    "imported before, nothing changed (--list shows it, --remove ID takes it out)"
                )
            else:
                counts = {"results": len(content.results), "scores": len(content.scores)}
                what = " and ".join(f"{count} {name}" for name, count in counts.items() if count)
                note = f" ({content.note})" if content.note else ""
                what += f" from {content.format}{note}, {source.id}"
            print(f"{path}: {what}.")
    print(
        "They are marked as imported wherever they are shown: "
        "bench leaderboard --imported, bench vqa list."
    )


def _list(store: str | None, as_json: bool) -> None:
    with reading(store) as opened:
        sources = opened.library.sources()
        results = Counter(one.source for one in opened.library.results())
        scores = Counter(one.source for one in opened.library.scores())
    if as_json:
        print_json(
            [asdict(s) | {"results": results[s.id], "scores": scores[s.id]} for s in sources]
        )
        return
    if not sources:
        print("Nothing has been imported: bench import FILE")
    for one in sources:
        counts = f"{results[one.id]} results, {scores[one.id]} scores"
        note = f" ({one.note})" if one.note else ""
        print(f"{one.id}  {one.created[:10]}  {one.kind}  {one.file}: {counts}{note}")
