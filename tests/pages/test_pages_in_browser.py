"""Pages as a browser shows them: on a phone, on a desk, on paper."""

import html
import html.parser
import json
import pathlib
import re
import shutil
import subprocess
import unicodedata

import numpy as np
import pytest
from PIL import Image

from ls_tf.pages import builder, canvas
from ls_tf.spec import registry

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]

RUNS = pathlib.Path(__file__).parents[2] / "results" / "runs"
# Narrow and wide tables, verdicts, long words, many rows without a run,
# pictures.
REPORTS = (
    "claims",
    "table2_accuracy",
    "re_table4_mnist",
    "replication_audit",
    "g_fig6",
    "re_table2_table3",
)
SCREENS = (390, 1280, 1920)
PAPER = 1047  # pixels between the margins of a landscape A4 page, 277 mm
WIDE = 'class="wide"'
DARK = "@media screen and (prefers-color-scheme:dark)"

# Says what is wrong with each frame's page; all that is folded is open.
MEASURE = """
function lacks(frame) {
  const page = frame.contentDocument, view = frame.contentWindow;
  const width = view.innerWidth, found = [];
  const say = (what, part, ...numbers) => found.push(
    what + ": " + part.textContent.trim().slice(0, 40) + " " + numbers);
  page.querySelectorAll("details").forEach(part => part.open = true);
  // Before anything is scrolled: a verdict is seen at once.
  const verdicts = page.querySelectorAll("td.verdict");
  for (const cell of verdicts) {
    const place = cell.getBoundingClientRect();
    if (!place.width || place.left < -.5 || place.right > width + .5)
      say("a verdict out of sight", cell, place.left, place.right);
  }
  if (page.documentElement.scrollWidth > width)
    found.push("the page is " + page.documentElement.scrollWidth + " wide");
  for (const box of page.querySelectorAll(".wide, pre")) {
    const place = box.getBoundingClientRect();
    if (place.left < -.5 || place.right > width + .5)
      say("a box beside the window", box, place.left, place.right);
    const more = box.scrollWidth - box.clientWidth;
    const scrolls = view.getComputedStyle(box).overflowX == "auto";
    if (more > 1 && !scrolls) say("cut off", box, more);
    const rows = box.querySelectorAll("tr");
    if (more <= 1 || !rows.length) continue;
    box.scrollLeft = more;
    for (const row of rows) {
      const first = row.firstElementChild.getBoundingClientRect();
      const last = row.lastElementChild.getBoundingClientRect();
      if (Math.abs(first.left - place.left) > 1) say("not fixed", row);
      if (last.right > place.right + 1) say("out of reach", row);
      if (last.left < first.right - 1) say("hidden", row, last.left);
    }
  }
  for (const part of page.querySelectorAll(
      "h1,h2,p,li,th,td,figcaption,summary,code"))
    if (part.scrollWidth > part.clientWidth + 1 && part.clientWidth)
      say("text is cut", part, part.scrollWidth, part.clientWidth);
  for (const head of page.querySelectorAll("th")) {
    if (!head.clientWidth) continue;
    const words = page.createTreeWalker(head, NodeFilter.SHOW_TEXT);
    for (let text; text = words.nextNode();)
      for (const word of text.textContent.matchAll(/[\\w.]+/g)) {
        const range = page.createRange();
        range.setStart(text, word.index);
        range.setEnd(text, word.index + word[0].length);
        if (range.getClientRects().length > 1) say("a broken word", head);
      }
  }
  const shown = [...page.querySelectorAll("td")].filter(c => c.clientWidth);
  return {width, found, cells: shown.length, verdicts: verdicts.length,
    tables: page.querySelectorAll("table").length};
}
addEventListener("load", () => {
  const all = {};
  for (const frame of document.querySelectorAll("iframe"))
    all[frame.title] = lacks(frame);
  document.body.textContent = JSON.stringify(all);
});
"""


def chromium(folder, page, *flags):
    """Opens a page without a window; what the browser prints."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu"]
    command += [f"--user-data-dir={folder}/profile", "--hide-scrollbars"]
    done = subprocess.run(
        [*command, *flags, page.as_uri()],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return done.stdout


def on_paper(page):
    """The page whose style for paper is that of the window."""
    return page.replace("@media screen", "@media not all").replace(
        "@media print", "@media all"
    )


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canvas, "pdf", lambda figure: b"")  # costs time
        for name in REPORTS:
            builder.build(
                name,
                registry.get("ls_tf.reports", name),
                runs_dir=str(RUNS),
                reports_dir=str(folder),
            )
    return folder


def measured(folder, pages):
    """What the script says of pages: title of the frame -> its findings."""
    frames = "".join(
        f'<iframe title="{title}" width="{width}" height="800" frameborder="0" '
        f'srcdoc="{html.escape(page)}"></iframe>'
        for title, (page, width) in pages.items()
    )
    file = folder / "frames.html"
    file.write_text(f"<body><script>{MEASURE}</script>{frames}</body>")
    shown = chromium(folder, file, "--dump-dom")
    return json.loads(html.unescape(re.search(r"\{.*\}", shown)[0]))


@pytest.mark.parametrize("name", REPORTS)
def test_no_table_is_wider_than_its_box_and_no_text_is_cut(pages, name):
    page = (pages / name / "index.html").read_text()
    wanted = {f"{width}": (page, width) for width in SCREENS}
    wanted["paper"] = on_paper(page), PAPER
    found = measured(pages, wanted)
    assert found.keys() == wanted.keys()
    for title, (_, width) in wanted.items():
        assert found[title]["width"] == width
        assert found[title]["tables"] == page.count("<table>") > 0
        assert found[title]["cells"] == page.count("<td") > 0
        assert found[title]["verdicts"] == page.count('<td class="verdict')
    if name == "claims":
        assert found["390"]["verdicts"] == 11
    assert {t: f["found"] for t, f in found.items() if f["found"]} == {}


def test_the_measurement_sees_what_is_wrong(pages):
    page = (pages / "table2_accuracy" / "index.html").read_text()
    broken = {
        "a box beside the window": (
            ".wide{overflow-x:auto",
            ".wide{width:2000px",
        ),
        "not fixed": ("position:sticky", "position:static"),
        "text is cut": (".number{", ".number{overflow:hidden;max-width:1rem;"),
        "a broken word": (
            "th{font",
            "th{overflow-wrap:anywhere;width:1rem;font",
        ),
    }
    wanted = {
        title: (page.replace(*change), 390) for title, change in broken.items()
    }
    claims = (pages / "claims" / "index.html").read_text()
    broken["a verdict out of sight"] = change = ('class="wide stacks"', WIDE)
    wanted["a verdict out of sight"] = claims.replace(*change), 390
    found = measured(pages, wanted)
    for title in broken:
        words = "\n".join(found[title]["found"])
        assert title in words, words


class _Cells(html.parser.HTMLParser):
    """The cells of the tables that are not folded."""

    def __init__(self, page):
        super().__init__()
        self.cells, self._folded, self._inside = [], 0, False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self._folded += tag == "details"
        if tag in ("td", "th") and not self._folded:
            self.cells.append("")
            self._inside = True

    def handle_endtag(self, tag):
        self._folded -= tag == "details"
        if tag in ("td", "th"):
            self._inside = False

    def handle_data(self, data):
        if self._inside and not self._folded:
            self.cells[-1] += data


def test_every_cell_is_printed(pages):
    pypdf = pytest.importorskip("pypdf")
    for name in ("claims", "table2_accuracy", "replication_audit"):
        page = pages / name / "index.html"
        file = pages / f"{name}.pdf"
        chromium(
            pages, page, "--no-pdf-header-footer", f"--print-to-pdf={file}"
        )
        paper = pypdf.PdfReader(file).pages
        printed = _joined(*(page.extract_text() for page in paper))
        cells = _Cells(page.read_text()).cells
        assert len(cells) > 50
        assert [c for c in cells if _joined(c) not in printed] == []


def _joined(*words):
    """Letters alone: wherever lines end, and without ligatures."""
    return "".join(unicodedata.normalize("NFKC", "".join(words)).split())


def test_pictures_are_dark_on_a_dark_page(pages):
    name = "re_table4_mnist"
    page = (pages / name / "index.html").read_text()
    assert page.count(DARK) == 1
    dark = pages / "dark.html"
    dark.write_text(page.replace(DARK, "@media screen"))
    file = pages / "dark.png"
    chromium(pages, dark, "--window-size=900,1200", f"--screenshot={file}")
    pixels = np.asarray(Image.open(file).convert("RGB")).astype(int)
    ground = np.array([0x16, 0x19, 0x1D])
    # The ground of the page and of its picture, but for letters and lines.
    is_ground = (abs(pixels - ground) <= 2).all(axis=-1)
    assert is_ground.mean() > 0.8
    # White is for the axes' lines alone.
    assert (pixels > 245).all(axis=-1).mean() < 0.01
    # The blue of our dots is lighter, and still blue.
    blue = abs(pixels - np.array([83, 188, 246])).max(axis=-1) <= 6
    assert blue.sum() > 100
