"""Downloading from a stand-in server on this machine: resumed, retried, checked, unpacked; nothing
overwritten.
"""

import hashlib
import io
import json
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rectune.core.errors import UserError
from rectune.datagen.datasets import download as transfer
from rectune.datagen.datasets import fetch as fetching
from rectune.datagen.datasets.entry import Dataset, Download, Edition, Layout
from rectune.datagen.datasets.registry import find
from rectune.pipeline.datasets import fetched

BODY = bytes(range(256)) * 5000  # 1.28 MB
MOVIES, RATINGS = (
    b"movieId,title,genres\n1,Heat (1995),Crime\n",
    b"userId,movieId,rating,timestamp\n1,1,4.0,5\n",
)


@dataclass
class Page:
    """What a path answers, one entry a request (the last again and again)."""

    body: bytes = BODY
    ranges: bool = True
    tag: str = '"v1"'
    modified: str = ""
    statuses: list[int] = field(default_factory=list)  # answered before the body
    cuts: list[int] = field(default_factory=list)  # bytes after which an answer breaks off
    slow: float = 0.0  # seconds between blocks
    length: bool = True


class Server:
    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[tuple[str, str, str]] = []  # path, Range, If-Range
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                outer.answer(self, head=True)

            def do_GET(self) -> None:
                outer.answer(self, head=False)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.handle_error = lambda *about: None  # type: ignore[method-assign]  # clients are killed here
        self.address = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler, *, head: bool) -> None:
        span = request.headers.get("Range", "")
        if not head:
            self.asked.append((request.path, span, request.headers.get("If-Range", "")))
        page = self.pages.get(request.path)
        if page is None or page.statuses:
            request.send_response(page.statuses.pop(0) if page else 404)
            request.send_header("Content-Length", "0")
            return request.end_headers()
        begin, status = 0, 200
        mark = request.headers.get("If-Range", page.tag or page.modified)
        if span and page.ranges and mark == (page.tag or page.modified):
            begin = int(span.removeprefix("bytes=").rstrip("-"))
            status = 206 if begin < len(page.body) else 416
        request.send_response(status)
        if status == 206:
            request.send_header("Content-Range", f"bytes {begin}-{len(page.body) - 1}/{len(page.body)}")
        if status == 416:
            request.send_header("Content-Range", f"bytes */{len(page.body)}")
            begin = len(page.body)
        for name, value in (("ETag", page.tag), ("Last-Modified", page.modified)):
            if value:
                request.send_header(name, value)
        if page.length:
            request.send_header("Content-Length", str(len(page.body) - begin))
        request.end_headers()
        if head:
            return None
        body = page.body[begin:]
        if page.cuts:
            body = body[: page.cuts.pop(0)]
        for at in range(0, len(body), 64 << 10):
            request.wfile.write(body[at : at + (64 << 10)])
            if page.slow:
                request.wfile.flush()
                time.sleep(page.slow)
        request.close_connection = True
        return None


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


class Waits(list[float]):
    """Stands in for sleeping."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def bring(server: Server, folder: Path, **more: str) -> tuple[Path, Waits]:
    part, waits = folder / "a.bin.part", Waits()
    transfer.download(Download(f"{server.address}/a.bin", "a.bin", **more), part, waits)  # type: ignore[arg-type]
    return part, waits


# One file ---------------------------------------------------------------------------------------------------


def test_a_file_comes_whole_and_is_checked(server: Server, tmp_path: Path) -> None:
    server.pages["/a.bin"] = Page()
    part, waits = bring(server, tmp_path, checksum=f"sha256:{hashlib.sha256(BODY).hexdigest()}")
    assert part.read_bytes() == BODY
    assert waits == []


def test_without_a_length_it_comes_whole_too(server: Server, tmp_path: Path) -> None:
    server.pages["/a.bin"] = Page(length=False)
    assert bring(server, tmp_path)[0].read_bytes() == BODY


@pytest.mark.parametrize(
    "page", [Page(), Page(tag="", modified="Mon, 01 Jan 2024 00:00:00 GMT"), Page(tag="")]
)
def test_a_cut_connection_goes_on_where_it_broke_off(server: Server, tmp_path: Path, page: Page) -> None:
    server.pages["/a.bin"] = replace(page, cuts=[700_000, 100_000])
    part, waits = bring(server, tmp_path)
    assert part.read_bytes() == BODY
    assert [span for _, span, _ in server.asked] == ["", "bytes=700000-", "bytes=800000-"]
    assert {mark for _, _, mark in server.asked[1:]} == {page.tag or page.modified}
    assert waits == [1.0, 1.0]


def test_a_weak_tag_is_no_promise_of_the_same_bytes(server: Server, tmp_path: Path) -> None:
    date = "Mon, 01 Jan 2024 00:00:00 GMT"
    server.pages["/a.bin"] = Page(tag='W/"v1"', modified=date, cuts=[700_000])
    assert bring(server, tmp_path)[0].read_bytes() == BODY
    assert server.asked[1][2] == date


def test_a_server_without_ranges_begins_again(server: Server, tmp_path: Path) -> None:
    server.pages["/a.bin"] = Page(ranges=False, cuts=[700_000])
    assert bring(server, tmp_path)[0].read_bytes() == BODY


def test_a_file_that_changed_meanwhile_is_never_joined(server: Server, tmp_path: Path) -> None:
    server.pages["/a.bin"] = Page(cuts=[700_000] * transfer._FAILURES, ranges=False)
    with pytest.raises(UserError, match="given up"):
        bring(server, tmp_path)
    assert (tmp_path / "a.bin.part").stat().st_size == 700_000
    for tag in ('"v2"', ""):  # with a mark of its version, and by its length alone
        newer = BODY[::-1] + b"more"
        server.pages["/a.bin"] = Page(body=newer, tag=tag)
        assert bring(server, tmp_path)[0].read_bytes() == newer


def test_bytes_of_unknown_origin_are_not_built_on(server: Server, tmp_path: Path) -> None:
    server.pages["/a.bin"] = Page()
    (tmp_path / "a.bin.part").write_bytes(b"something else")
    assert bring(server, tmp_path)[0].read_bytes() == BODY
    (tmp_path / "a.bin.part.state").write_text("no json")
    assert bring(server, tmp_path)[0].read_bytes() == BODY


def test_a_whole_part_is_not_asked_for_again(server: Server, tmp_path: Path) -> None:
    server.pages["/a.bin"] = Page()
    bring(server, tmp_path)
    bring(server, tmp_path)
    assert len(server.asked) == 1


def test_a_part_longer_than_the_file_is_fetched_again(server: Server, tmp_path: Path) -> None:
    server.pages["/a.bin"] = Page()
    part, _ = bring(server, tmp_path)
    part.write_bytes(BODY + b"x")
    assert bring(server, tmp_path)[0].read_bytes() == BODY


def test_a_busy_server_is_waited_for_as_long_as_it_asks(server: Server, tmp_path: Path) -> None:
    server.pages["/a.bin"] = Page(statuses=[429, 503, 500])
    part, waits = bring(server, tmp_path)
    assert part.read_bytes() == BODY
    assert waits == [1.0, 2.0, 4.0]


def test_a_server_that_stays_busy_is_given_up(server: Server, tmp_path: Path) -> None:
    server.pages["/a.bin"] = Page(statuses=[503] * 100)
    with pytest.raises(UserError, match="given up after 6 tries: the server answers 503"):
        bring(server, tmp_path)
    assert len(server.asked) == 6


@pytest.mark.parametrize("status", [404, 403, 401, 410])
def test_a_refusal_is_final_and_says_where_to_look(server: Server, tmp_path: Path, status: int) -> None:
    server.pages["/a.bin"] = Page(statuses=[status])
    with pytest.raises(UserError, match=rf"answers {status}(.|\n)*publisher's page"):
        bring(server, tmp_path)
    assert len(server.asked) == 1


def test_nobody_at_the_address_is_an_error_for_people(server: Server, tmp_path: Path) -> None:
    server.http.shutdown()
    server.http.server_close()
    source = Download(f"{server.address}/a", "a")
    with pytest.raises(UserError, match="given up"):
        transfer.download(source, tmp_path / "a.part", Waits())


def test_wrong_content_is_thrown_away(server: Server, tmp_path: Path) -> None:
    server.pages["/a.bin"] = Page()
    with pytest.raises(UserError, match="does not match its checksum"):
        bring(server, tmp_path, checksum="md5:" + "0" * 32)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["{}  a.bin\n", "MD5 (a.bin) = {}\n"])
def test_the_publishers_own_checksum_is_compared(server: Server, tmp_path: Path, text: str) -> None:
    server.pages["/a.bin"] = Page()
    beside = f"{server.address}/a.bin.md5"
    server.pages["/a.bin.md5"] = Page(body=text.format(hashlib.md5(BODY).hexdigest()).encode())
    assert bring(server, tmp_path, checksum_url=beside)[0].read_bytes() == BODY
    server.pages["/a.bin.md5"] = Page(body=text.format("f" * 32).encode())
    with pytest.raises(UserError, match="does not match its checksum"):
        bring(server, tmp_path, checksum_url=beside)


def test_a_missing_checksum_is_said_and_no_hindrance(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.pages["/a.bin"] = Page()
    bring(server, tmp_path, checksum_url=f"{server.address}/none.md5")
    assert "no checksum at" in capsys.readouterr().err


def test_a_page_in_place_of_a_file_is_refused(server: Server, tmp_path: Path) -> None:
    server.pages["/a.zip"] = Page(body=b"<html>we have moved</html>")
    with pytest.raises(UserError, match=r"sent no \.zip file"):
        transfer.download(Download(f"{server.address}/a.zip", "a.zip"), tmp_path / "a.zip.part", Waits())


def test_a_full_disk_is_said_before_it_is_full(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.pages["/a.bin"] = Page()
    usage = type("Usage", (), {"free": 1 << 20})
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(UserError, match="MiB are needed, 1 MiB are free"):
        bring(server, tmp_path)


def test_two_processes_do_not_write_one_file(server: Server, tmp_path: Path) -> None:
    server.pages["/a.bin"] = Page()
    with (
        transfer._alone(tmp_path / "a.bin.part"),
        pytest.raises(UserError, match="another process is downloading"),
    ):
        bring(server, tmp_path)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_fetch_goes_on(server: Server, tmp_path: Path, how: signal.Signals) -> None:
    server.pages["/a.bin"] = Page(slow=0.2)
    program = (
        "import sys; from pathlib import Path; from rectune.datagen.datasets.download import download;"
        "from rectune.datagen.datasets.entry import Download;"
        "download(Download(sys.argv[1], 'a.bin'), Path(sys.argv[2]))"
    )
    part = tmp_path / "a.bin.part"
    process = subprocess.Popen(
        [sys.executable, "-c", program, f"{server.address}/a.bin", str(part)], stderr=subprocess.DEVNULL
    )
    give_up = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size >= 64 << 10) and time.monotonic() < give_up:
        time.sleep(0.02)
    process.send_signal(how)
    process.wait()
    before = part.stat().st_size
    assert 0 < before < len(BODY)
    server.pages["/a.bin"] = Page()
    assert bring(server, tmp_path)[0].read_bytes() == BODY
    assert server.asked[-1][1] == f"bytes={before}-"


# Editions ---------------------------------------------------------------------------------------------------


def archive(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return packed.getvalue()


def films(server: Server, *members: tuple[str, bytes]) -> Dataset:
    """MovieLens with one edition, which the stand-in server has."""
    server.pages["/ml.zip"] = Page(body=archive(**dict(members)))
    edition = Edition("ml", "csv", "few", (Download(f"{server.address}/ml.zip", "ml.zip"),))
    return replace(find("movielens"), editions=(edition,))


WHOLE = (("ml/movies.csv", MOVIES), ("ml/ratings.csv", RATINGS), ("ml/README.txt", b"read me"))


def test_an_archive_is_unpacked_without_what_no_reader_wants(server: Server, tmp_path: Path) -> None:
    one = films(server, *WHOLE, ("__MACOSX/ml/._movies.csv", b"x"))
    files = fetching.fetch(one, one.editions[0], [], tmp_path)
    assert [path.name for path in files] == ["movies.csv", "ratings.csv"]
    assert (tmp_path / "movielens" / "ratings.csv").read_bytes() == RATINGS
    left = {path.name for path in (tmp_path / "movielens").iterdir()}
    assert left == {"movies.csv", "ratings.csv", ".ml.zip.fetched"}


def test_what_is_there_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    one = films(server, *WHOLE)
    fetching.fetch(one, one.editions[0], [], tmp_path)
    fetching.fetch(one, one.editions[0], [], tmp_path)
    assert len(server.asked) == 1
    (tmp_path / "movielens" / "ratings.csv").unlink()
    fetching.fetch(one, one.editions[0], [], tmp_path)
    assert (tmp_path / "movielens" / "ratings.csv").read_bytes() == RATINGS


def test_a_file_with_another_content_is_never_overwritten(server: Server, tmp_path: Path) -> None:
    one = films(server, *WHOLE)
    (tmp_path / "movielens").mkdir()
    (tmp_path / "movielens" / "movies.csv").write_bytes(MOVIES)
    (tmp_path / "movielens" / "ratings.csv").write_bytes(RATINGS[::-1])  # of the same length
    with pytest.raises(UserError, match=r"ratings.csv: is there already(.|\n)*move it away"):
        fetching.fetch(one, one.editions[0], [], tmp_path)
    assert (tmp_path / "movielens" / "ratings.csv").read_bytes() == RATINGS[::-1]
    (tmp_path / "movielens" / "ratings.csv").unlink()
    fetching.fetch(one, one.editions[0], [], tmp_path)
    assert len(server.asked) == 1  # what had come is used


@pytest.mark.parametrize(
    "name", ["../evil/ratings.csv", "/ratings.csv", "ml\\..\\ratings.csv", "C:/ratings.csv"]
)
def test_an_archive_that_would_leave_its_folder_is_refused(server: Server, tmp_path: Path, name: str) -> None:
    one = films(server, *WHOLE, (name, b"evil"))
    with pytest.raises(UserError, match="leave its folder"):
        fetching.fetch(one, one.editions[0], [], tmp_path / "data")
    names = {path.name for path in tmp_path.rglob("*")}
    assert names == {"data", "movielens", "ml.zip.part", "ml.zip.part.state"}


def test_an_archive_without_the_files_or_broken_is_an_error(server: Server, tmp_path: Path) -> None:
    one = films(server, ("ml/other.csv", b"x"))
    with pytest.raises(UserError, match=r"holds none of movies.csv, ratings.csv"):
        fetching.fetch(one, one.editions[0], [], tmp_path)
    one = films(server, *WHOLE)
    server.pages["/ml.zip"].body = server.pages["/ml.zip"].body[:-30]
    server.pages["/ml.zip"].tag = '"v2"'
    transfer.forget(tmp_path / "movielens" / "ml.zip.part")
    with pytest.raises(UserError, match="cannot be unpacked"):
        fetching.fetch(one, one.editions[0], [], tmp_path)


def test_an_archive_brought_by_hand_is_unpacked_and_kept(server: Server, tmp_path: Path) -> None:
    one = films(server, *WHOLE)
    body = server.pages["/ml.zip"].body
    put = tmp_path / "movielens" / "ml.zip"
    put.parent.mkdir()
    put.write_bytes(body)
    fetching.fetch(one, one.editions[0], [], tmp_path)
    assert put.read_bytes() == body
    assert (put.parent / "movies.csv").read_bytes() == MOVIES
    assert server.asked == []


def shop(server: Server) -> Dataset:
    downloads = tuple(
        Download(f"{server.address}/{{category}}/{kind}.gz", f"{kind}{{category}}.jsonl.gz")
        for kind in ("meta_", "")
    )
    layout = Layout("2023", ("meta_{category}.jsonl", "{category}.jsonl"), "x:y", ordered=True)
    edition = Edition("2023", "2023", "many", downloads)
    amazon = find("amazon")
    return replace(amazon, layouts=(layout,), editions=(edition,), categories=("Books", "Baby_Products"))


def test_packed_files_of_categories_stay_packed(server: Server, tmp_path: Path) -> None:
    one = shop(server)
    body = b"\x1f\x8b" + BODY
    for name in ("/Books/meta_.gz", "/Books/.gz"):
        server.pages[name] = Page(body=body)
    files = fetching.fetch(one, one.editions[0], ["Books"], tmp_path)
    assert [path.name for path in files] == ["meta_Books.jsonl.gz", "Books.jsonl.gz"]
    assert files[1].read_bytes() == body
    (tmp_path / "amazon" / ".Books.jsonl.gz.fetched").unlink()
    fetching.fetch(one, one.editions[0], ["Books"], tmp_path)  # the server's size is the file's
    files[1].write_bytes(b"\x1f\x8bother")
    with pytest.raises(UserError, match="is there already"):
        fetching.fetch(one, one.editions[0], ["Books"], tmp_path)


def test_categories_have_to_be_named_and_known(server: Server) -> None:
    one = shop(server)
    with pytest.raises(UserError, match=r"which categories(.|\n)*Books, Baby_Products"):
        fetching.downloads(one, one.editions[0])
    with pytest.raises(UserError, match="did you mean Books"):
        fetching.downloads(one, one.editions[0], ["books"])
    with pytest.raises(UserError, match="has no categories"):
        fetching.downloads(find("steam"), fetching.choose(find("steam")), ["Books"])
    both = fetching.downloads(one, one.editions[0], ["Books", "Baby_Products", "Books"])
    assert len(both) == 4
    assert fetching.downloads(find("amazon"), fetching.choose(find("amazon"), "2018"), ["Luxury_Beauty"])


def test_the_edition_is_the_one_named_or_the_first_that_can_be_downloaded() -> None:
    assert fetching.choose(find("movielens")).name == "ml-latest-small"
    assert fetching.choose(find("steam")).downloads
    assert fetching.choose(find("mind")).name == "small"
    with pytest.raises(UserError, match="did you mean ml-32m"):
        fetching.choose(find("movielens"), "ml-32")


# What is printed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [("mind", "MINDsmall_train.zip"), ("yelp", "form"), ("anime", "kaggle"), ("books", "kaggle")],
)
def test_by_hand_says_the_page_the_files_the_place_and_the_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    text = fetched(name, "", [], tmp_path)
    flat = "".join(text.split())
    assert find(name).home in flat and words in flat and str(tmp_path / name) in flat
    assert "rectune data stats" in text
    assert find(name).licence.split(";")[0] in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.iterdir()) == []


def test_the_licence_is_shown_before_anything_is_asked_for(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = films(server, *WHOLE)
    server.pages["/ml.zip"].statuses = [503]
    monkeypatch.setattr("rectune.pipeline.datasets.find", lambda name: one)
    assert "will be read as layout csv" in fetched("movielens", "", [], tmp_path)
    said = capsys.readouterr().err
    assert said.index("non-commercial") < said.index("answers 503")


def test_files_of_another_layout_that_come_first_are_pointed_out(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = films(server, ("ml/movies.dat", b"1"), ("ml/ratings.dat", b"2"))
    one = replace(one, editions=(replace(one.editions[0], layout="dat"),))
    monkeypatch.setattr("rectune.pipeline.datasets.find", lambda name: one)
    assert "will be read as layout dat" in fetched("movielens", "", [], tmp_path)
    for name in ("movies.csv", "ratings.csv"):
        (tmp_path / "movielens" / name).touch()
    assert "layout csv lie in" in " ".join(fetched("movielens", "", [], tmp_path).split())


def test_a_receipt_that_was_tampered_with_is_no_receipt(server: Server, tmp_path: Path) -> None:
    one = films(server, *WHOLE)
    fetching.fetch(one, one.editions[0], [], tmp_path)
    receipt = tmp_path / "movielens" / ".ml.zip.fetched"
    for text in ("", "[]", json.dumps({"url": 1, "files": []})):
        receipt.write_text(text)
        assert len(fetching.fetch(one, one.editions[0], [], tmp_path)) == 2
