"""Studies of others: every coefficient of the corpus, recomputed from what ships."""

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from vlm4vla.core.errors import UnknownName
from vlm4vla.reports.correlation.study import (
    series_of,
    study_correlations,
    study_exhibit,
    study_names,
)
from vlm4vla.stats.correlation import Kind, permutation_test
from vlm4vla.stats.multiplicity import holm
from vlm4vla.store.published import studies, vqa_scores

with (Path(__file__).parent / "study_spearman.csv").open() as _file:
    KNOWN = list(csv.DictReader(_file))
"""84 Spearman coefficients with their exact p, computed apart from this package."""


def test_the_coefficients_are_reproduced():
    assert len(KNOWN) == 84
    ps = [float(row["p"]) for row in KNOWN]
    assert sum(p < 0.05 for p in ps) == 7 and min(holm(ps)) == pytest.approx(0.56, abs=0.005)
    groups = defaultdict(list)
    for row in KNOWN:
        groups[row["study"], row["without"]].append(row)
    for (study, without), rows in groups.items():
        found = study_correlations(study, without=without.split(";") if without else ())
        for row in rows:
            (one,) = (
                line
                for line in found
                if (line.suite, line.benchmark) == (row["suite"], row["benchmark"])
                and row["series"] in line.series
            )
            assert one.n == int(row["n"]), row
            if row["benchmark"] == "OCRBench":
                continue  # below
            assert one.spearman == pytest.approx(float(row["rho"]), abs=6e-4), row
            assert one.p == pytest.approx(float(row["p"]), abs=6e-5), row
            assert one.p <= one.p_holm <= 1


def test_the_corpus_compared_ocrbench_across_units():
    """It ranks PaliGemma's 46.4 % below Kosmos-2's 244 of 1000; here 24.4 % is the less."""
    printed: dict[str, float] = {}
    for row in vqa_scores():
        if row.benchmark == "OCRBench" and row.backbone and row.printed:
            printed.setdefault(row.backbone, float(row.printed))
    assert printed["paligemma-1"] == 46.4 and printed["kosmos-2"] == 244
    lines = {one.suite: one for one in study_correlations("VLM4VLA", ["OCRBench"])}
    values = {one.suite: one.values for one in series_of("VLM4VLA")}
    rows = [row for row in KNOWN if row["benchmark"] == "OCRBench"]
    assert len(rows) == 3
    for row in rows:
        one = lines[row["suite"]]
        x = [printed[name] for name in one.backbones]
        y = [values[one.suite][name] for name in one.backbones]
        as_printed = permutation_test(x, y, Kind.SPEARMAN, np.random.default_rng(0))
        assert as_printed.value == pytest.approx(float(row["rho"]), abs=6e-4)
        assert as_printed.p == pytest.approx(float(row["p"]), abs=6e-5)
        assert abs(one.spearman - as_printed.value) > 0.05


@pytest.mark.parametrize("study", study_names())
def test_every_study_answers(study):
    shown = study_exhibit(study)
    assert shown.records or shown.warnings
    assert all(one.study == study and one.n >= 5 for one in shown.records)
    known = {row.backbone for row in vqa_scores()}
    for one in shown.records:
        assert set(one.backbones) <= known or one.benchmark == "ERIQ"


def test_what_is_secondary_is_said():
    rows = [row for row in studies() if row.study == "3D-Mix"]
    assert rows and all("secondary" in row.flags for row in rows)
    assert any("not in the paper" in text for text in study_exhibit("3D-Mix").warnings)
    assert not any(one.secondary for one in series_of("PhysBrain"))


def test_names_are_checked():
    with pytest.raises(UnknownName, match="PhysBrain"):
        study_correlations("Physbrain")
    with pytest.raises(UnknownName, match="benchmark"):
        study_correlations("PhysBrain", ["ERQAA"])
