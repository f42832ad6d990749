import base64
import hashlib
import re
import subprocess
from html.parser import HTMLParser

import pytest
from PIL import Image
from sqlalchemy import Engine, event

from tests.reports.conftest import emoji_result, emoji_run, fill, fill_marked, quarantined
from vlm4vla.api import report
from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import BadInput
from vlm4vla.reports.page import Sheet
from vlm4vla.store import Store

VOID = {"meta", "img", "br"}


class Balanced(HTMLParser):
    """Fails on a tag that is not closed, and keeps the text and what is linked."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.links, self.ids, self.tags = [], [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.links += [v for n, v in attributes if n in ("src", "href")]
        self.ids += [v for n, v in attributes if n == "id"]
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(path):
    parser = Balanced()
    parser.feed(path.read_text(encoding="utf-8"))
    assert parser.open == []
    return parser


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "sheet.png"
    Image.new("RGB", (64, 32), "teal").save(path)
    return path


def test_the_page_holds_everything_and_needs_nothing_else(emoji, tmp_path, picture):
    out = tmp_path / "made" / "report.html"
    report(out, emoji, sheets=[Sheet("expert, episode 3", picture)])
    page = read(out)
    text = "".join(page.text)
    for expected in (
        "33.3 [18, 53]",
        "0.0 [≤ 12]",
        "(25.0 [9, 53])",
        "incomplete 12/24",
        "place/23: hang, given up after attempt 3",
        "8 failed attempts were repeated",
        "bench run --policy expert-blind --suite grinningface_val --episodes 24",
        "lavapipe 25.0",
        "0123456789ab",
    ):
        assert expected in text
    places = [link for link in page.links if link.startswith("#")]
    assert {place[1:] for place in places} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids)), "no drawing has an id of another"
    (uri,) = (link for link in page.links if link not in places)
    kind, _, data = uri.partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(data) == picture.read_bytes()
    assert "://" not in out.read_text()


EVIL = "<script>alert('x')</script>\"&{{ 7919 * 7919 }}$\\frac{$"


def test_what_a_run_says_cannot_break_the_page(store, tmp_path, picture):
    """Names of policies, suites, tasks, stages, options, facts, errors and pictures."""
    for number, suite in enumerate((EVIL, EVIL, "grinningface_val", "grinningface_val")):
        keys = tuple(EpisodeKey(suite, task, i) for task in (EVIL, "other") for i in range(4))
        run = emoji_run(
            f"{EVIL} {number}", id=f"{EVIL} {number}", suite=suite, plan=keys,
            policy_options={EVIL: EVIL}, options={EVIL: EVIL},
            provenance={EVIL: {EVIL: [EVIL]}}, comparability={EVIL: f"{EVIL} {number}"},
        )  # fmt: skip
        store.begin(run)
        for key in keys[:-1]:
            store.record(run.id, emoji_result(key, 1, key.init % 2, stages={EVIL: True}))
        store.record(run.id, quarantined(keys[-1], text=EVIL))
    out = tmp_path / "report.html"
    report(out, store, sheets=[Sheet(EVIL, picture, EVIL), Sheet(EVIL, picture)])
    page, text = read(out), out.read_text()
    assert [attributes for tag, attributes in page.tags if tag == "script"] == [{}], "its own"
    assert text.count("<script") == 1
    assert not [name for _, attributes in page.tags for name in attributes if name[:2] == "on"]
    said = "".join(page.text)
    assert said.count(EVIL) > 40 and str(7919 * 7919) not in said
    assert {alt for tag, one in page.tags for alt in [one.get("alt")] if tag == "img"} == {EVIL}


def test_the_browser_is_told_to_run_the_pages_own_script_alone(emoji, tmp_path):
    out = tmp_path / "report.html"
    report(out, emoji)
    (script,) = re.findall(r"<script>(.*?)</script>", out.read_text(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    tags = [one for tag, one in read(out).tags if tag == "meta" and "http-equiv" in one]
    (policy,) = [one["content"] for one in tags]
    assert policy == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )


def test_no_run_is_read_twice(store, tmp_path):
    """Of every table that holds runs, whatever parts the page has."""
    for solved in (2, 4, 8):
        run = emoji_run(f"qwen3vl-{solved}b", code=f"a{solved:07x}")
        fill(store, run, 20, solved)
    reads = []

    def note(connection, cursor, statement, parameters, context, many):
        if table := re.search(r"FROM (runs|episodes|faults)\b", statement):
            reads.append((table[1], *parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        vqa = ["VLM4VLA general capability (Fig. 3 x-axis)"]
        report(tmp_path / "report.html", store, vqa=vqa)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    text = (tmp_path / "report.html").read_text()
    assert 'id="correlation"' in text and 'id="emoji"' in text
    runs = [run.id for run in store.runs()]
    counted = ("episodes",)  # how many each run has, of all at once
    of_runs = [(table, run) for table in ("episodes", "faults") for run in runs]
    assert sorted(reads) == sorted([("runs",), counted, *of_runs])


def test_an_empty_store_is_a_page_too(store, tmp_path):
    report(tmp_path / "report.html", store)
    assert "no runs yet" in "".join(read(tmp_path / "report.html").text)
    store.begin(emoji_run("expert"))
    report(tmp_path / "report.html", store)
    assert "incomplete 0/24, 0 successes" in "".join(read(tmp_path / "report.html").text)


def test_what_cannot_be_read_or_written_is_named(emoji, tmp_path):
    with pytest.raises(BadInput, match=r"absent\.png"):
        report(tmp_path / "r.html", emoji, sheets=[Sheet("a", tmp_path / "absent.png")])
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="cannot be made"):
        report(tmp_path / "file" / "r.html", emoji)


def chromium(tmp_path, *words):
    """What the browser printed; with a profile of its own, so that nothing is remembered."""
    return subprocess.run(
        [
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
            "--disable-background-networking", "--allow-file-access-from-files",
            f"--user-data-dir={tmp_path / 'profile'}", *words,
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A page with every mark, a contact sheet, papers' rows and a correlation."""
    folder = tmp_path_factory.mktemp("page")
    picture, out = folder / "sheet.png", folder / "report.html"
    Image.new("RGB", (1002, 360), "teal").save(picture)
    vqa = ["VLM4VLA general capability (Fig. 3 x-axis)"]
    with Store.open(folder / "bench.db", create=True) as store:
        report(out, fill_marked(store), sheets=[Sheet("a", picture)], vqa=vqa, others=True)
    return out


@pytest.mark.browser
def test_no_width_scrolls_sideways(full, tmp_path):
    """Measured by a browser in frames as wide as a screen and a phone, everything unfolded."""
    folded = full.read_text()
    (tmp_path / "folded.html").write_text(folded)
    (tmp_path / "open.html").write_text(folded.replace("<details>", "<details open>"))
    frame = tmp_path / "frame.html"
    frames = "".join(
        f'<iframe width={width} height=3000 src="{name}.html"></iframe>'
        for width in (1280, 390) for name in ("folded", "open")
    )  # fmt: skip
    frame.write_text(
        f"{frames}<script>onload = () => {{ document.title = [...document.querySelectorAll("
        "'iframe')].map(f => f.contentDocument.documentElement).map(d => d.scrollWidth + ' ' + "
        "d.clientWidth + ' ' + d.scrollHeight).join(','); }</script>"
    )
    done = chromium(tmp_path, "--hide-scrollbars", "--dump-dom", frame.as_uri())
    found = re.findall(r"<title>([\d ,]+)</title>", done.stdout)[0].split(",")
    sizes = [tuple(map(int, one.split())) for one in found]
    assert [client for _, client, _ in sizes] == [1280, 1280, 390, 390]
    assert all(scroll <= client for scroll, client, _ in sizes)
    assert sizes[1][2] > sizes[0][2] > 2000, "what is folded opens, and the page is not empty"


HOME = re.compile(r"://[^/]*\b(google|googleapis|gstatic|gvt1)\.com")
"""Where the browser itself calls, whatever page it shows."""


def visited(tmp_path, page):
    """What a browser says on its console, and the addresses it looks for on the network."""
    log = tmp_path / "net.json"
    done = chromium(tmp_path, f"--log-net-log={log}", "--dump-dom", page.as_uri())
    found = re.findall(r'"url":"(\w+://[^"]*)', log.read_text())
    kinds = ("file:", "data:", "chrome", "about:")
    urls = {url for url in found if not url.startswith(kinds) and not HOME.search(url)}
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line], urls


@pytest.mark.browser
def test_a_browser_finds_nothing_to_fetch_and_nothing_to_complain_of(full, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text("<img src='http://127.0.0.1:9/x.png'><script>console.error('no')</script>")
    said, urls = visited(tmp_path, bad)
    assert len(said) == 1 and urls == {"http://127.0.0.1:9/x.png"}, (
        "the test sees what it looks for"
    )
    assert visited(tmp_path, full) == ([], set())


@pytest.mark.browser
def test_a_browser_lets_nothing_in_that_a_run_might_smuggle(full, tmp_path):
    page = tmp_path / "evil.html"
    evil = "<script>console.error('ran')</script><img src='http://127.0.0.1:9/x.png'></main>"
    page.write_text(full.read_text().replace("</main>", evil))
    said, urls = visited(tmp_path, page)
    assert urls == set() and said and not any('"ran"' in line for line in said)


@pytest.mark.browser
def test_print_unfolds_everything(full, tmp_path):
    """Folded parts take up pages; without them there are fewer."""
    bare = tmp_path / "bare.html"
    bare.write_text(re.sub(r"<details>.*?</details>", "", full.read_text(), flags=re.DOTALL))
    pages = {}
    for page in (full, bare):
        pdf = page.with_suffix(".pdf")
        chromium(tmp_path, f"--print-to-pdf={pdf}", page.as_uri())
        content = pdf.read_bytes()
        assert content.startswith(b"%PDF")
        pages[page] = len(re.findall(rb"/Type\s*/Page\b", content))
    assert pages[full] >= pages[bare] + 3
