"""`bench import`: other harnesses' results into the store, beside ours and never among them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from vlm4vla.cli.options import JsonOption, StoreOption


def import_(
    files: Annotated[list[Path] | None, typer.Argument(help="Result files.")] = None,
    format_: Annotated[
        str | None, "vla-eval, vlm4vla, vlmevalkit or csv [told from the file]."
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
    """Import results of vla-eval, VLM4VLA, RoboVLMs, VLMEvalKit, or plain CSV."""
    from vlm4vla.core.errors import BadInput, OutOfRange
    from vlm4vla.store import Store, reading
    from vlm4vla.store.importers import Asked, enter, read

    if list_:
        _list(store, json_)
        return
    if remove is not None:
        with reading(store):
            pass  # it must be there: taking something out of nothing makes no store
        with Store.open(store, create=True) as opened:
            opened.library.remove(remove)
        typer.echo(f"Removed {remove}.")
        return
    if not files:
        raise BadInput("No file was named.", "bench import FILE, or --list, or --remove ID")
    if selected_from < 1:
        raise OutOfRange(f"--selected-from {selected_from} must be at least 1.")
    # All are read before any is entered: a mistake in the third leaves nothing half done.
    found = [(path, read(path, Asked(policy, suite, model), format_)) for path in files]
    command = "bench " + " ".join(sys.argv[1:])
    with Store.open(store, create=True) as opened:
        for path, content in found:
            source = enter(opened.library, path, content, command, selected_from)
            if source is None:
                typer.echo(
                    f"{path}: imported before, nothing changed (--list shows it, --remove ID "
                    "takes it out)."
                )
                continue
            what = []
            if content.results:
                what.append(f"{len(content.results)} results")
            if content.scores:
                what.append(f"{len(content.scores)} scores")
            note = f" ({content.note})" if content.note else ""
            typer.echo(f"{path}: {' and '.join(what)} from {content.format}{note}, {source.id}.")
    typer.echo(
        "They are marked as imported wherever they are shown: "
        "bench leaderboard --imported, bench vqa list."
    )


def _list(store: str | None, as_json: bool) -> None:
    from collections import Counter
    from dataclasses import asdict

    from vlm4vla.cli.screen import print_json
    from vlm4vla.store import reading

    with reading(store) as opened:
        sources = opened.library.sources()
        results = Counter(one.source for one in opened.library.results())
        scores = Counter(one.source for one in opened.library.scores())
    if as_json:
        rows = [
            asdict(one) | {"results": results[one.id], "scores": scores[one.id]} for one in sources
        ]
        print_json(rows)
        return
    if not sources:
        typer.echo("Nothing has been imported: bench import FILE")
    for one in sources:
        counts = f"{results[one.id]} results, {scores[one.id]} scores"
        note = f" ({one.note})" if one.note else ""
        typer.echo(f"{one.id}  {one.created[:10]}  {one.kind}  {one.file}: {counts}{note}")
