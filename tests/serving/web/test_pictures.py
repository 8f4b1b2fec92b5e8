"""Pictures of items: only pictures, only of the folder, and nothing of them in what is ranked or worded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rectune.core.errors import UserError
from rectune.readers.catalogue import CatalogueOptions, read_catalogue
from rectune.recommender.recommender import Recommender
from rectune.serving.config import ServerConfig
from rectune.serving.pictures import MOST_BYTES, Pictures, media_type
from tests.serving.test_catalogue import ended
from tests.serving.web.person import HTMX, person
from tests.serving.world import world

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
KINDS = {
    "image/png": PNG,
    "image/jpeg": b"\xff\xd8\xff\xe0" + b"\0" * 20,
    "image/gif": b"GIF89a" + b"\0" * 20,
    "image/webp": b"RIFF\x20\0\0\0WEBPVP8 " + b"\0" * 20,
    "image/avif": b"\0\0\0\x1cftypavif" + b"\0" * 20,
}
OTHERS = {
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "html": b"<!doctype html><script>alert(1)</script>",
    "xml": b"\x89PNF",
    "empty": b"",
    "mp4": b"\0\0\0\x1cftypisom" + b"\0" * 20,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of pictures, beside which a secret lies."""
    made = tmp_path / "pictures"
    (made / "inner").mkdir(parents=True)
    (tmp_path / "secret.png").write_bytes(PNG)
    (made / "a b.png").write_bytes(PNG)
    (made / "inner" / "c.png").write_bytes(PNG)
    (made / "large.png").write_bytes(PNG + b"\0" * MOST_BYTES)
    (made / "link.png").symlink_to(tmp_path / "secret.png")
    (made / "loop.png").symlink_to(made / "loop.png")
    for name, content in {**KINDS, **OTHERS}.items():
        (made / f"{name.replace('/', '-')}.png").write_bytes(content)
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_known_by_what_they_hold(folder: Path, kind: str):
    found = Pictures(folder).found(f"{kind.replace('/', '-')}.png")
    assert found and found.media_type == kind == media_type(KINDS[kind])


@pytest.mark.parametrize(
    "name",
    ["../secret.png", "inner/../../secret.png", "link.png", "loop.png", "large.png", "inner", "", ".",
     "none.png", "a b.png\0", "n" * 5000, "\ud800.png", *(f"{name}.png" for name in OTHERS)],
)  # fmt: skip
def test_nothing_else_is_one(folder: Path, name: str):
    assert Pictures(folder).found(name) is None


def test_a_whole_path_leads_nowhere_but_into_the_folder(folder: Path):
    assert Pictures(folder).found(str(folder.parent / "secret.png")) is None
    assert Pictures(folder).found("inner/c.png")


def test_addresses_only_of_hosts_that_were_named(folder: Path):
    pictures = Pictures(None, ("https://covers.example.org",))
    images = {
        "1": "https://covers.example.org/a.png", "2": "https://other.example.org/a.png",
        "3": "https://covers.example.org@other.example.org/a.png", "4": "http://covers.example.org/a.png",
        "5": "javascript:alert(1)", "6": "//covers.example.org/a.png", "7": "https://covers.example.org.evil/a",
        "8": "https://[covers.example.org/a", "9": "data:image/png;base64,AA",
    }  # fmt: skip
    assert [item for item in images if pictures.address(images, item)] == ["1"]


def test_the_page_shows_them_and_the_server_gives_them(recommender: Recommender, folder: Path):
    images = {
        "11": "a b.png",
        "13": "svg.png",
        "15": "https://covers.example.org/x.png",
        "a/ä": "inner/c.png",
    }
    with world(
        recommender, folder, images=images, picture_folder=folder, image_hosts=("https://covers.example.org",)
    ) as server:
        ann = person(server)
        sent = ann.post("/for-you", HTMX)
        assert set(re.findall(r'<img src="([^"]+)" alt=""', sent.text)) == {
            "/pictures/11", "https://covers.example.org/x.png",
        }  # fmt: skip
        page = ann.get("/for-you")
        assert "img-src 'self' https://covers.example.org;" in page.headers["Content-Security-Policy"]
        picture = ann.get("/pictures/11")
        assert picture.content == PNG and picture.headers["Content-Type"] == "image/png"
        assert picture.headers["X-Content-Type-Options"] == "nosniff"
        assert ann.get("/pictures/a%2F%C3%A4").status_code == 200
        for id in ("13", "15", "12", "a%20b.png", "..%2Fsecret.png", "%2e%2e/secret.png"):
            assert ann.get(f"/pictures/{id}").status_code == 404


def test_items_bring_pictures_at_run_time(recommender: Recommender, folder: Path):
    with world(recommender, folder, images={"11": "a b.png"}, picture_folder=folder) as server:
        body = {"items": [{"item_id": "n1", "title": "New", "image": "inner/c.png"},
                          {"item_id": "11", "title": "Moon Landing"}]}  # fmt: skip
        kept = server.client.post("/api/v1/items", json=body)
        assert kept.status_code == 202
        ended(server.database, [kept.json()["id"]])
        assert server.client.get("/pictures/n1").content == PNG
        assert server.client.get("/pictures/11").status_code == 404  # what is left out is empty
        bad = {"items": [{"item_id": "n2", "title": "New", "image": "a\u202eb"}]}
        assert server.client.post("/api/v1/items", json=bad).status_code == 422


def test_a_column_names_them_and_is_no_fact(tmp_path: Path):
    table = tmp_path / "films.csv"
    table.write_text("id,title,cover\n1,Alien,alien.png\n2,Heat,\n2,Again,other.png\n,,x.png\n")
    plain, with_images = (read_catalogue(table, CatalogueOptions(image=name)) for name in ("", "cover"))
    assert with_images.images == {"1": "alien.png"} and with_images.items == plain.items
    with pytest.raises(UserError, match="cower"):
        read_catalogue(table, CatalogueOptions(image="cower"))


@pytest.mark.parametrize(
    "settings, named",
    [
        ({"images": Path("nowhere")}, "no such folder"),
        ({"image_column": "cover"}, "--image-column"),
        ({"search_url": "javascript:alert({title})"}, "search by"),
        ({"search_url": "https://example.org/search"}, "search by"),
        ({"search_url": "https://{title}.example.org/"}, "search by"),
        ({"search_url": "https://example.org/?q={title}&r={title}"}, "search by"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, object], named: str):
    with pytest.raises(UserError, match=named):
        ServerConfig(recipe="demo", **settings)  # type: ignore[arg-type]
