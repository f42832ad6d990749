"""`vla.json`, of every format there has been."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from vlm4vla.core.errors import BadInput
from vlm4vla.models import manifest

FIXTURES = Path(__file__).parent / "fixtures"


def placed(folder, name):
    folder.mkdir()
    shutil.copy(FIXTURES / name, folder / manifest.FILE)
    return folder


def test_every_format_says_the_same_of_one_network(tmp_path):
    """0.2.0 wrote the first; the second is that checkpoint, loaded and saved again."""
    old = manifest.read(placed(tmp_path / "old", "vla_v1.json"))
    new = manifest.read(placed(tmp_path / "new", "vla_v2.json"))
    assert (old.config, old.whole, old.base) == (new.config, new.whole, new.base)
    assert old.config.decoder.kind == "mlp" and old.config.chunk == new.config.chunk
    assert old.digest != new.digest  # what is stored there has other names, hence other hashes


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m | {"format": 3}, "format 3"),
        (lambda m: m | {"formt": 2}, "formt"),
        (lambda m: m | {"config": m["config"] | {"chnk": 3}}, "chnk"),
        (lambda m: m | {"config": m["config"] | {"decoder": {"kind": "mpl"}}}, "mpl"),
    ],
)
def test_what_is_not_known_is_refused_by_name(tmp_path, change, said):
    folder = placed(tmp_path / "new", "vla_v2.json")
    path = folder / manifest.FILE
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(BadInput, match=said):
        manifest.read(folder)
