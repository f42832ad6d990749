"""Suite files: what ships, what a user may write, and how it is narrowed."""

from __future__ import annotations

import pytest

from vlm4vla.core.errors import BadInput, InvalidFile, OutOfRange, UnknownName
from vlm4vla.suites.files import load_file, suite_names
from vlm4vla.suites.suite import load

MINIMAL = "name: mine\nsummary: s\nsimulator: toy\n"


def written(folder, text):
    path = folder / "mine.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.assets) if name.startswith("calvin") else name
        for name in suite_names()
    ],
)
def test_every_shipped_suite_is_named_after_its_file_and_has_one_headline(name):
    suite = load(name, overrides={"robot": "panda"} if name != "toy" else None)
    assert suite.name == name and suite.summary
    assert sum(metric.headline for metric in suite.metrics) == 1
    keys = [episode.key for episode in suite.episodes]
    assert len(set(keys)) == len(keys) and all(key.suite == name for key in keys)


def test_episodes_do_not_depend_on_how_many_are_asked_for(tmp_path):
    few = load(written(tmp_path, MINIMAL + "episodes: {count: 3}"))
    many = load(written(tmp_path, MINIMAL + "episodes: {count: 30}"))
    assert len(few.episodes) == 6 and set(map(str, few.episodes)) < set(map(str, many.episodes))


def test_narrowing_keeps_order_and_sets_the_seed():
    suite = load("toy").narrowed(tasks=["far"], inits=[7, 2], seed=5)
    assert [(e.key.task, e.key.init, e.key.seed) for e in suite.episodes] == [
        ("far", 2, 5),
        ("far", 7, 5),
    ]
    assert [e.key.init for e in load("toy").narrowed(count=2).episodes] == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("settings", "kind", "said"),
    [
        ({"tasks": ["fat"]}, UnknownName, "Did you mean far"),
        ({"inits": [3, 10]}, OutOfRange, "no init 10; it has 0 to 9"),
        ({"count": 0}, OutOfRange, "1 to 10 a task"),
        ({"count": 11}, OutOfRange, "1 to 10 a task"),
        ({"seed": -1}, OutOfRange, "outside 0"),
        ({"seed": 2**31}, OutOfRange, "outside 0"),
    ],
)
def test_what_does_not_exist_is_refused(settings, kind, said):
    with pytest.raises(kind, match=said):
        load("toy").narrowed(**settings)


def test_protocols_and_overrides_are_applied_in_this_order(tmp_path):
    text = MINIMAL + (
        "options: {step_ms: 1, fault: none}\n"
        "protocols: {slow: {summary: s, options: {step_ms: 2, fault: hang}}}\n"
    )
    path = written(tmp_path, text)
    assert load(path).options["step_ms"] == 1 and load(path).protocol == "default"
    slow = load(path, "slow", {"step_ms": 3})
    assert slow.options == {"step_ms": 3, "fault": "hang"} and slow.protocol == "slow"
    with pytest.raises(UnknownName, match="Did you mean slow"):
        load(path, "slwo")


def test_a_generator_of_the_users_own(tmp_path, monkeypatch):
    (tmp_path / "my_episodes.py").write_text(
        "from vlm4vla.core.episode import Episode, EpisodeKey\n"
        "def make(suite, arguments, options):\n"
        "    setup = {'puck': [0, 0], 'pad': [0.1, 0.1]}\n"
        "    return [Episode(EpisodeKey(suite, 't', i), 'go', 9, setup)"
        " for i in range(arguments['n'])]\n"
        "none = 3\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    head = MINIMAL + "episodes: {n: 2}\n"
    suite = load(written(tmp_path, head + "generator: my_episodes:make\n"))
    assert [str(e.key) for e in suite.episodes] == ["mine/t/0", "mine/t/1"]
    for generator, said in (
        ("my_episodes:nix", "no attribute 'nix'"),
        ("my_episodes:none", "not a function"),
        ("my_episode:make", "No module named 'my_episode'"),
    ):
        with pytest.raises(BadInput, match=said):
            load(written(tmp_path, head + f"generator: {generator}\n"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MINIMAL.replace("simulator", "simulater"), "simulater'. Did you mean simulator"),
        (MINIMAL + "metrics: [{name: a, kind: rate, giwen: x}]", "Did you mean given"),
        (MINIMAL + "metrics: [{name: a, kind: rat, of: x}]", "metrics.0.kind"),
        (MINIMAL + "success: always", "success: "),
        (MINIMAL.replace("mine", "My Suite"), "name: "),
        (MINIMAL + "episodes: [", "not YAML"),
        (b"\xff\xfe\x00", "not YAML"),
        ("", "fields with values"),
        ("- a\n- b\n", "fields with values"),
        (MINIMAL + "format: 9", "format 9; this vlm4vla reads format 1"),
    ],
)
def test_a_bad_file_is_refused_with_the_place(tmp_path, text, said):
    with pytest.raises(InvalidFile, match=said) as caught:
        load_file(written(tmp_path, text))
    assert "mine.yaml" in caught.value.message


@pytest.mark.parametrize(
    ("episodes", "said"),
    [
        ("{cout: 3}", "Did you mean count"),
        ("{count: 0}", "1..100000"),
        ("{count: many}", "many"),
        ("{count: true}", "True"),
    ],
)
def test_arguments_of_the_toys_generator_are_checked(tmp_path, episodes, said):
    with pytest.raises(BadInput, match=said):
        load(written(tmp_path, MINIMAL + f"episodes: {episodes}"))


def test_files_that_are_none(tmp_path):
    with pytest.raises(InvalidFile, match="No such file"):
        load_file(str(tmp_path / "missing.yaml"))
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(InvalidFile, match="directory"):
        load_file(str(tmp_path / "folder.yaml"))
    with pytest.raises(UnknownName, match="Did you mean grinningface_val"):
        load_file("grinningface_vla")


def test_a_simulator_without_a_generator_is_told_where_to_name_one(tmp_path):
    with pytest.raises(BadInput) as caught:
        load(written(tmp_path, MINIMAL.replace("toy", "vlm4vla.simulators.toy.plugin:Toy")))
    assert "generator: module:function" in caught.value.fix
