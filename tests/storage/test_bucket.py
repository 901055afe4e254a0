"""A bucket: proved at the start, big files in parts, links for a while, clear words if it fails."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from buckets import CREDENTIALS, S3, run_s3
from darkroom import config, errors
from darkroom.storage import bucket
from darkroom.storage.bucket import Bucket
from lines import RESET, SILENT, Line, line_to
from wire_double import Answer, Request, Wire

BIG = os.urandom(2**20) * 23


@pytest.fixture
def line(s3: S3) -> Iterator[Line]:
    """A line to the bucket that can be cut."""
    with line_to(f"host=127.0.0.1 port={s3.port}") as one:
        yield one


def opened(s3: S3, **settings: str) -> Bucket:
    return asyncio.run(bucket.opened(config.load(s3.settings(**settings), {})))


def refusal(s3: S3, **settings: str) -> str:
    with pytest.raises(errors.ConfigInvalid) as refused:
        opened(s3, **settings)
    assert refused.value.message.startswith("DARKROOM_FILES_URL cannot be used: ")
    return refused.value.message


def big(folder: Path) -> Path:
    path = folder / "made.mp4"
    path.write_bytes(BIG)
    return path


def test_a_bucket_that_can_do_everything_opens_and_is_left_as_it_was(s3: S3) -> None:
    assert opened(s3).origin is None
    assert s3.keys() == []


def test_a_bucket_that_is_not_there_is_named(s3: S3) -> None:
    said = refusal(s3, files_url="s3://no-such-bucket")
    assert f"There is no bucket no-such-bucket at {s3.address}." in said


def test_an_endpoint_that_nobody_listens_at_is_named(s3: S3) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        said = refusal(s3, s3_endpoint=address)
    assert f"at {address} cannot be reached, or does not" in said
    assert "Check DARKROOM_S3_ENDPOINT" in said


class Rangeless(Wire):
    """A server that answers a range of bytes by status 200, as `rclone serve s3` does."""

    def answer(self, request: Request) -> Answer:
        headers = {"ETag": '"1"', "Content-Range": "bytes 0-1/18", "Last-Modified": formatdate()}
        return Answer(b"Da" if request.method == "GET" else b"", headers=headers)


def test_a_server_that_does_not_answer_as_s3_does_is_told_so(s3: S3) -> None:
    with Rangeless() as wire:
        said = refusal(s3, s3_endpoint=wire.url)
    assert "or does not answer as S3 does." in said
    assert "non-partial response when range requested" in said


def test_credentials_that_are_refused_are_named(s3: S3) -> None:
    # From its second request on this server knows nobody.
    with run_s3(INITIAL_NO_AUTH_ACTION_COUNT="1") as strict:
        said = refusal(strict.with_bucket())
    assert "refuses these credentials. Check AWS_ACCESS_KEY_ID" in said
    assert "s3:ListBucket" in said
    assert "(InvalidAccessKeyId: The AWS Access Key Id you provided does not exist" in said


def test_credentials_that_are_missing_are_named(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CREDENTIALS:
        monkeypatch.delenv(name)
    # Where a machine of Amazon's would be told its role.
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
    assert "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are set" in refusal(s3)


def test_a_big_file_arrives_in_parts_and_whole(s3: S3, tmp_path: Path) -> None:
    store = opened(s3)
    name, size, _ = asyncio.run(store.take(big(tmp_path), "video/mp4"))
    head = s3.head(name)
    assert (head["ContentLength"], head["ContentType"]) == (size, "video/mp4")
    assert head["ETag"].strip('"').endswith("-5"), "it went up in one piece"
    assert asyncio.run(store.fetch(name, tmp_path / "back")).read_bytes() == BIG


def test_an_upload_that_is_cut_leaves_nothing_that_looks_like_a_file(
    s3: S3, line: Line, tmp_path: Path
) -> None:
    store = opened(s3, s3_endpoint=f"http://127.0.0.1:{line.port}")
    line.cut_after(len(BIG) // 2, RESET)
    with pytest.raises(errors.FilesUnavailable, match="cannot be reached"):
        asyncio.run(store.take(big(tmp_path), "video/mp4"))
    assert (s3.keys(), s3.unfinished()) == ([], 1)
    line.heal()
    name, size, _ = asyncio.run(store.take(tmp_path / "made.mp4", "video/mp4"))
    assert s3.head(name)["ContentLength"] == size


def test_a_bucket_that_falls_silent_is_given_up_in_time(s3: S3, line: Line, tmp_path: Path) -> None:
    store = opened(s3, s3_endpoint=f"http://127.0.0.1:{line.port}")
    line.cut(SILENT)
    with pytest.raises(errors.FilesUnavailable, match="no answer in time"):
        asyncio.run(store.find(f"{'0' * 32}.png"))


def test_a_link_opens_the_file_for_whoever_has_it_for_a_while(s3: S3, tmp_path: Path) -> None:
    store = opened(s3, downloads="presigned")
    assert store.origin == s3.address
    (tmp_path / "made").write_bytes(b"0123456789")
    name, _, _ = asyncio.run(store.take(tmp_path / "made", "image/png"))
    address = asyncio.run(store.address(name))
    assert address is not None
    asked = parse_qs(urlsplit(address).query)
    assert asked["X-Amz-Expires"] == [str(config.DOWNLOAD_SECONDS)]
    answer = httpx.get(address, headers={"Range": "bytes=2-4"})
    assert (answer.status_code, answer.content) == (206, b"234")
    assert answer.headers["Content-Type"] == "image/png"


def test_without_them_wanted_there_are_no_links(s3: S3) -> None:
    assert asyncio.run(opened(s3).address(f"{'0' * 32}.png")) is None


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("files_url", "https://bucket"),
        ("files_url", "s3://"),
        ("files_url", "s3://Bucket"),
        ("files_url", "s3://bucket/../x y"),
        ("s3_endpoint", "minio.internal:9000"),
        ("s3_endpoint", "http://"),
        ("downloads", "direct"),
    ],
)
def test_a_setting_that_names_no_bucket_is_refused(setting: str, value: str) -> None:
    with pytest.raises(errors.ConfigInvalid, match=f"DARKROOM_{setting.upper()} is wrong"):
        config.load({"files_url": "s3://bucket"} | {setting: value}, {})


@pytest.mark.parametrize("setting", ["s3_endpoint", "s3_region"])
def test_a_place_without_a_bucket_is_refused(setting: str) -> None:
    with pytest.raises(errors.ConfigInvalid, match="DARKROOM_FILES_URL is not"):
        config.load({setting: "http://somewhere"}, {})


def test_links_without_a_bucket_are_refused() -> None:
    with pytest.raises(errors.ConfigInvalid, match="needs a bucket"):
        config.load({"downloads": "presigned"}, {})
