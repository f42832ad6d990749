"""Fig. 3 of VLM4VLA: what the published numbers give, and what a store of one's own gives."""

import json
import xml.dom.minidom
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from vlm4vla.api import correlate
from vlm4vla.cli.correlate import text_scatter
from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import BadInput, UnknownName
from vlm4vla.core.result import EpisodeResult, Metric, Outcome
from vlm4vla.reports.correlation.correlation import correlations, sentences
from vlm4vla.reports.correlation.screening import screen
from vlm4vla.reports.figures.correlation import influence, place, scatter
from vlm4vla.reports.tables.text import strict_json
from vlm4vla.stats.intervals import Z95
from vlm4vla.store import RunRecord, Store
from vlm4vla.store.library import ImportedResult, Score, Source

METRICS = (Metric(name="success", kind="rate", of="success", headline=True),)
FIGURE_3 = "VLM4VLA general capability (Fig. 3 x-axis)"
SCORES = {"qwen3vl-2b": 0.2, "qwen3vl-4b": 0.5, "qwen3vl-8b": 0.7, "kosmos-2": 0.1}
SOLVED = {"qwen3vl-2b": 4, "qwen3vl-4b": 5, "qwen3vl-8b": 9, "paligemma-1": 3}


@pytest.fixture(scope="module")
def figure_3():
    return {one.suite: one for one in correlations([FIGURE_3], published=True)}


@pytest.fixture
def own(tmp_path):
    """Four policies of ten toy episodes each, and scores of four backbones, three in common."""
    path = tmp_path / "bench.db"
    with Store.open(path, create=True) as store:
        for policy, solved in SOLVED.items():
            plan = tuple(EpisodeKey("toy", "reach", i) for i in range(10))
            store.begin(RunRecord(f"toy-{policy}", policy, "toy", "toy", plan, METRICS))
            for key in plan:
                outcome = Outcome.SUCCESS if key.init < solved else Outcome.FAILURE
                store.record(f"toy-{policy}", EpisodeResult(key, outcome))
    with Store.open(path, create=True) as opened:
        library = opened.library
        scores = [Score(n, n, "my VQA", "accuracy", v, n=100) for n, v in SCORES.items()]
        library.add(Source("s1", "imported", "csv", "scores.csv", "00"), scores=scores)
    with Store.open(path) as store:
        yield store


@pytest.mark.parametrize(
    ("suite", "printed", "squared", "exact_p", "rho", "qwen"),
    [
        ("calvin_abcd", 0.839, 0.703, 0.005, 0.80, 0.35),
        ("simpler_bridge", -0.358, 0.127, 0.35, -0.40, 0.42),
        ("libero_10", -0.194, 0.038, 0.62, 0.16, 0.06),
    ],
)
def test_published_coefficients(figure_3, suite, printed, squared, exact_p, rho, qwen):
    found = figure_3[suite]
    assert found.n == 9
    assert found.pearson == pytest.approx(printed, abs=0.0025) and found.printed == printed
    assert found.r_squared == pytest.approx(squared, abs=0.0015)
    assert found.spearman == pytest.approx(rho, abs=0.005)
    x, y = ([getattr(point, axis) for point in found.points] for axis in "xy")
    assert found.pearson == pytest.approx(stats.pearsonr(x, y)[0])
    assert found.spearman == pytest.approx(stats.spearmanr(x, y)[0])
    # scipy's p assumes normal values; the exact one counts permutations: near, not equal.
    assert found.p == pytest.approx(exact_p, abs=0.03)
    low, high = stats.pearsonr(x, y).confidence_interval()
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    family = next(one for one in found.families if one.family == "Qwen")
    assert (family.members, family.within) == (6, pytest.approx(qwen, abs=0.005))
    assert any("reproduced" in note and "not reproduced" not in note for note in found.notes)
    assert any("never published" in note for note in found.notes)


def test_influence_is_that_of_leaving_out(figure_3):
    found = figure_3["libero_10"]
    x, y = (np.array([getattr(point, axis) for point in found.points]) for axis in "xy")
    for i, point in enumerate(found.points):
        rest = np.arange(9) != i
        assert point.without == pytest.approx(stats.pearsonr(x[rest], y[rest])[0])
    assert [round(min(p.without for p in found.points), 2),
            round(max(p.without for p in found.points), 2)] == [-0.36, 0.20]  # fmt: skip


def test_only_calvin_survives_three_suites(figure_3):
    assert [one.p_holm < 0.05 for one in figure_3.values()] == [True, False, False]
    assert all(one.p_holm >= one.p for one in figure_3.values())
    assert figure_3["calvin_abcd"].detectable == pytest.approx(0.8, abs=0.05)


def test_the_frame_has_a_row_per_suite():
    frame = correlate(FIGURE_3, published=True)
    assert list(frame.suite) == ["calvin_abcd", "simpler_bridge", "libero_10"]
    assert {"n", "pearson", "low", "high", "p", "spearman"} <= set(frame)
    assert len(correlate(FIGURE_3, "libero_10", published=True)) == 1


def test_own_runs_say_which_backbones_lack_what(own):
    (found,) = correlations(["my VQA"], store=own)
    assert [point.backbone for point in found.points] == ["qwen3vl-2b", "qwen3vl-4b", "qwen3vl-8b"]
    assert [point.y for point in found.points] == [0.4, 0.5, 0.9]
    assert found.lacking_x == ("paligemma-1",) and found.lacking_y == ("kosmos-2",)
    assert found.printed is None
    assert any("imported" in note for note in found.notes)
    assert json.loads(strict_json([found]))[0]["families"][0]["without"] is None


def test_a_policy_may_be_given_its_backbone(own):
    with Store.open(own.name) as store:
        run = replace(store.run("toy-qwen3vl-8b"), id="mine", policy="mine")
        store.begin(run)
        for key in run.plan:
            store.record("mine", EpisodeResult(key, Outcome.FAILURE))
    (found,) = correlations(["my VQA"], store=own)
    assert any("mine has no backbone" in note for note in found.notes)
    (found,) = correlations(["my VQA"], store=own, backbones={"mine": "kosmos-2"})
    assert found.n == 4 and found.lacking_y == ()
    # A second policy of a backbone is a point of its own, never averaged with the first.
    (found,) = correlations(["my VQA"], store=own, backbones={"mine": "qwen3vl-8b"})
    assert {p.name: p.y for p in found.points if p.backbone == "qwen3vl-8b"} == {
        "qwen3vl-8b": 0.9, "mine": 0.0,
    }  # fmt: skip
    assert any("4 points of 3 backbones are not independent" in note for note in found.notes)


def test_runs_of_one_backbone_stay_apart_and_the_fuller_of_two_alike_counts(own):
    with Store.open(own.name) as store:
        base = store.run("toy-qwen3vl-8b")
        changes = (
            ("half", {"execution": "half"}, 10, 1),
            ("tuned", {"checkpoint": "b"}, 10, 2),
            ("split", {"training_split": "other"}, 10, 3),
            ("smoke", {"comparability": {"engine": "2"}, "created": "9999"}, 4, 4),
        )
        for name, change, n, solved in changes:
            run = replace(base, id=name, plan=base.plan[:n], **change)
            store.begin(run)
            for key in run.plan:
                won = Outcome.SUCCESS if key.init < solved else Outcome.FAILURE
                store.record(name, EpisodeResult(key, won))
    (found,) = correlations(["my VQA"], store=own)
    apart = sorted((p.y, p.n) for p in found.points if p.backbone == "qwen3vl-8b")
    assert apart == [(0.1, 10), (0.2, 10), (0.3, 10), (0.9, 10)]
    assert any("smoke (n = 4) is left out" in note for note in found.notes)


def test_imported_results_are_marked_points(own):
    with Store.open(own.name) as store:
        results = [ImportedResult.rate("kosmos-2", "toy", "all", "success", 2, 10)]
        store.library.add(Source("s9", "imported", "csv", "theirs.csv", "09"), results)
    (found,) = correlations(["my VQA"], ["toy"], store=own)
    assert [(p.y, p.marks) for p in found.points if p.backbone == "kosmos-2"] == [
        (0.2, ("imported",))
    ]


def test_few_points_have_no_interval_of_spearman(own):
    (found,) = correlations(["my VQA"], store=own)
    assert found.n == 3 and np.isnan(found.spearman_low) and np.isnan(found.bootstrap_low)
    said = " ".join(sentences(found))
    assert "no interval below 9 points" in said and "[1.00, 1.00]" not in said
    assert "x in %, y in %" in said and f"+ {found.slope:.4g} x" in said


def test_an_incomplete_run_is_left_out_and_named(own):
    with Store.open(own.name) as store:
        run = store.run("toy-qwen3vl-2b")
        store.begin(replace(run, id="k", policy="kosmos-2"))
        store.record("k", EpisodeResult(run.plan[0], Outcome.SUCCESS))
    (found,) = correlations(["my VQA"], store=own)
    assert "kosmos-2" in found.lacking_y
    assert any("kosmos-2 is incomplete 1/10" in note for note in found.notes)


def test_policies_that_all_score_alike_correlate_with_nothing(own):
    with Store.open(own.name) as store:
        for policy in SOLVED:
            run = replace(store.run(f"toy-{policy}"), id=f"lost-{policy}", created="9999")
            store.begin(run)
            for key in run.plan:
                store.record(run.id, EpisodeResult(key, Outcome.FAILURE))
    with pytest.raises(BadInput, match=r"All 3 backbones have the same value on 'toy'"):
        correlations(["my VQA"], store=own)


def test_shipped_scores_are_never_mixed_with_ones_own(own):
    with Store.open(own.name, create=True) as opened:
        library = opened.library
        source = Source("s2", "imported", "csv", "other.csv", "01")
        library.add(source, scores=[Score("q", "qwen3vl-2b", FIGURE_3, "m", 0.3)])
    (ours,) = correlations([FIGURE_3], ["calvin_abcd"], published=True, store=own)
    assert ours.n == 9, "the paper's own numbers come from the paper"
    with pytest.raises(BadInput, match=r"1 backbones have both"):
        correlations([FIGURE_3], ["toy"], store=own)


def test_mistakes_are_named(own, tmp_path):
    with pytest.raises(UnknownName, match="Did you mean"):
        correlations(["VLM4VLA general capabilities"], published=True)
    with pytest.raises(UnknownName, match="libero_10"):
        correlations([FIGURE_3], ["libero_100"], published=True)
    with pytest.raises(UnknownName, match="calvin"):
        correlations(["my VQA"], ["calvin"], store=own)
    with pytest.raises(BadInput, match=r"1 backbones have both .* Without 'AI2D': qwen3vl"):
        correlations(["AI2D"], ["toy"], store=own)


def test_mixed_sources_are_said():
    (found,) = correlations(["MMStar"], ["calvin_abcd"], published=True)
    assert any("sources" in note for note in found.notes)
    assert set(found.lacking_x) >= {"kosmos-2", "paligemma-2", "qwen3vl-30b-a3b"}


def test_drawings_hold_every_backbone_and_are_xml(figure_3):
    for found in figure_3.values():
        for drawing in (scatter(found), influence(found)):
            drawing.pixels = 600
            document = xml.dom.minidom.parseString(drawing.svg)
            assert document.documentElement.getAttribute("width") == "600"
            assert all(point.backbone in drawing.svg for point in found.points)
        assert scatter(found).svg.count("<title>") == 9
        letters = "".join(text_scatter(found))
        assert all(letters.count(letter) == 1 for letter in "abcdefghi")


def test_labels_do_not_hide_each_other():
    marks = [(100.0, 100.0), (104.0, 103.0), (108.0, 99.0)]
    offsets = place(["one", "two", "three"], marks, (0, 0, 300, 300))
    spots = [(x + dx, y + dy, dx > 0) for (x, y), (dx, dy) in zip(marks, offsets, strict=True)]
    rows = sorted(y for _, y, _ in spots)
    sides = {right for _, _, right in spots}
    assert len(set(spots)) == 3 and (len(sides) > 1 or rows[1] - rows[0] > 9)
    (alone,) = place(["a name of some length"], [(290.0, 150.0)], (0, 0, 300, 300))
    assert alone[0] < 0, "where the room ends, it goes the other way"
    crowded = [(260.0, 150.0), (272.0, 155.0)]
    (dx, _), (ex, ey) = place(["qwen3vl-8b", "qwen3vl-30b-a3b"], crowded, (0, 0, 300, 300))
    assert dx < 0 and (ex, ey) not in ((-9, 0), (9, 0)), "nor does one hide the mark of another"


def test_the_scatter_is_drawn_to_scale(figure_3):
    found = figure_3["libero_10"]
    ax = scatter(found)
    marks = [(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines
             if line.get_marker() not in ("None", None)]  # fmt: skip
    assert marks == [(point.x, pytest.approx(100 * point.y)) for point in found.points]
    fit, *whiskers = (line for line in ax.lines if line.get_marker() in ("None", None))
    assert list(fit.get_ydata()) == pytest.approx(
        [100 * (found.intercept + found.slope * x) for x in fit.get_xdata()]
    )
    assert [np.ptp(one.get_ydata()) for one in whiskers] == pytest.approx(
        [200 * Z95 * point.y_error for point in found.points]
    )
    assert len({line.get_marker() for line in ax.lines}) == 4, "three families, and lines"


def test_screening_every_benchmark_finds_nothing_in_the_published_scores():
    found, p_bh = zip(*screen(published=True), strict=True)
    assert len(found) > 30 and all(one.n >= 4 for one in found)
    assert [one.p for one in found] == sorted(one.p for one in found)
    assert not [one for one in found if "Fig." in one.vqa], "read off a figure: no benchmark"
    adjusted = multipletests([one.p for one in found], method="fdr_bh")[1]
    assert p_bh == pytest.approx(adjusted)
    assert min(p_bh) > 0.3
    (mmstar,) = [one for one in found if (one.vqa, one.suite) == ("MMStar", "calvin_abcd")]
    (alone,) = correlations(["MMStar"], ["calvin_abcd"], published=True)
    assert (mmstar.pearson, mmstar.p) == (alone.pearson, alone.p)


def test_screening_ones_own_runs_needs_four_backbones(own, tmp_path):
    found = [one for one, _ in screen(store=own)]
    assert {(one.suite, one.n) for one in found} == {("toy", 4)}
    assert "my VQA" not in {one.vqa for one in found}, "three backbones have it"
    with Store.open(own.name) as store, Store.open(tmp_path / "b.db", create=True) as other:
        for run in store.runs()[:2]:
            other.begin(run)
            for key in run.plan:
                other.record(run.id, EpisodeResult(key, Outcome.FAILURE))
        with pytest.raises(BadInput, match="4 backbones in common"):
            screen(store=other)


def test_noise_of_the_axes_is_told_and_taken_off(figure_3):
    simpler = figure_3["simpler_bridge"]
    assert simpler.noise_sd == pytest.approx(0.19, abs=0.02)
    assert abs(simpler.corrected) > abs(simpler.pearson) and simpler.sign_kept > 0.8
