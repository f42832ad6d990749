import json

import pandas as pd
import pytest

from vlm4vla.core.errors import BadInput
from vlm4vla.store.export import frame, write


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_episodes_come_back_with_their_runs(emoji, tmp_path, kind):
    out = tmp_path / f"episodes.{kind}"
    assert write(emoji, emoji.runs(), out, parquet=kind == "parquet") == 4 * 24 + 12
    table = pd.read_parquet(out) if kind == "parquet" else pd.read_csv(out)
    assert len(table) == 108
    blind = table[table.policy == "expert-blind"]
    assert (blind.outcome == "success").sum() == 8
    assert blind["measure.recognised"].sum() == 8
    assert blind["stage.reached"].all()
    assert json.loads(blind.comparability.iloc[0])["renderer"] == "lavapipe 25.0"
    broken = table[table.outcome == "error"]
    assert len(broken) == 4 and broken["stage.reached"].isna().all()
    assert broken.error_text.str.startswith("no progress").all()
    assert [p.name for p in tmp_path.glob(".*")] == []


def test_a_store_without_episodes_is_a_table_without_rows(store, tmp_path):
    assert write(store, [], tmp_path / "none.csv", parquet=False) == 0
    assert list(frame(store, []).columns)[:4] == ["run", "suite", "task", "init"]


def test_a_place_that_cannot_be_written_is_named(emoji, tmp_path):
    with pytest.raises(BadInput, match="cannot be written"):
        write(emoji, emoji.runs(), tmp_path / "absent" / "x.csv", parquet=False)
