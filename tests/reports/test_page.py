import base64
import re
import subprocess
from html.parser import HTMLParser

import pytest
from PIL import Image

from tests.reports.conftest import emoji_run, fill, quarantined
from vlm4vla.core.errors import BadInput
from vlm4vla.reports.figures.funnel import Bar, funnel
from vlm4vla.reports.figures.intervals import Interval, intervals
from vlm4vla.reports.page import Sheet, write_page

VOID = {"meta", "img", "line", "circle", "rect", "br"}


class Balanced(HTMLParser):
    """Fails on a tag that is not closed, and keeps the text and what is linked."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.links, self.ids = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.links += [v for n, v in attributes if n in ("src", "href")]
        self.ids += [v for n, v in attributes if n == "id"]
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
    write_page(emoji, out, sheets=[Sheet("expert, episode 3", picture)])
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
    (uri,) = (link for link in page.links if link not in places)
    kind, _, data = uri.partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(data) == picture.read_bytes()
    assert "://" not in out.read_text()


def test_what_a_run_says_cannot_break_the_page(store, tmp_path):
    evil = "<script>alert('x')</script>\"&"
    run = emoji_run("random", code="aaaaaaaa", policy_options={"prompt": evil}, options={"a": evil})
    fill(store, run, 0, 0, last=20)
    store.record(run.id, quarantined(run.plan[20], text=evil))
    out = tmp_path / "report.html"
    write_page(store, out)
    page = read(out)
    assert "<script" not in out.read_text()
    assert evil in "".join(page.text)


def test_an_empty_store_is_a_page_too(store, tmp_path):
    write_page(store, tmp_path / "report.html")
    assert "no runs yet" in "".join(read(tmp_path / "report.html").text)


def test_what_cannot_be_read_or_written_is_named(emoji, tmp_path):
    with pytest.raises(BadInput, match=r"absent\.png"):
        write_page(emoji, tmp_path / "r.html", sheets=[Sheet("a", tmp_path / "absent.png")])
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="cannot be made"):
        write_page(emoji, tmp_path / "file" / "r.html")


def test_intervals_are_drawn_to_scale():
    drawing = intervals([Interval("a", 0.5, 0.25, 1.0)], rate=True, chance=0.5)
    ticks = [float(x) for x in re.findall(r'class="tick" x="([\d.]+)"', drawing)]
    assert len(ticks) == 5
    (low, high), (dot,), (chance,) = (
        re.findall(r'class="whisker" x1="([\d.]+)" x2="([\d.]+)"', drawing)[0],
        re.findall(r'cx="([\d.]+)"', drawing),
        re.findall(r'class="chance" x1="([\d.]+)"', drawing),
    )
    assert [float(low), float(high)] == [ticks[1], ticks[4]]
    assert float(dot) == float(chance) == ticks[2]


@pytest.mark.parametrize(("high", "top"), [(0.03, "0.04"), (1.0, "1"), (4.3, "5"), (0.0, "1")])
def test_the_axis_of_means_ends_on_a_round_number(high, top):
    drawing = intervals([Interval("a", high, high, high)], rate=False)
    assert re.findall(r'class="tick"[^>]*>([^<]+)<', drawing)[-1] == top


def test_the_funnel_is_drawn_to_scale():
    drawing = funnel([Bar("all", 8, 8), Bar("half", 4, 8), Bar("none", 0, 0)])
    widths = [float(w) for w in re.findall(r'class="bar"[^>]*width="([\d.]+)"', drawing)]
    assert widths[1] == pytest.approx(widths[0] / 2, abs=0.1) and widths[2] == 0
    assert ">4/8<" in drawing


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_no_width_scrolls_sideways(emoji, tmp_path, picture, width):
    """Measured by a browser, in a frame as wide as the device."""
    out = tmp_path / "report.html"
    write_page(emoji, out, sheets=[Sheet("a", picture)])
    frame = tmp_path / "frame.html"
    frame.write_text(
        f'<iframe id=f width={width} height=3000 src="report.html"></iframe><script>'
        "onload = () => { const d = f.contentDocument.documentElement;"
        "document.title = d.scrollWidth + ' ' + d.clientWidth; }</script>"
    )
    done = subprocess.run(
        [
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
            "--disable-background-networking", "--allow-file-access-from-files",
            f"--user-data-dir={tmp_path / 'profile'}", frame.as_uri(),
        ],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    scroll, client = re.findall(r"<title>(\d+) (\d+)</title>", done.stdout)[0]
    assert int(scroll) <= int(client)
