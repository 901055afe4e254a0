"""A bucket for tests: a server that speaks S3's protocol, and a stranger's look into it."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import httpx

from ground import wait_until

# The address of another server that the tests shall use, with its credentials in the environment.
OTHER = os.environ.get("DARKROOM_TEST_S3", "")
# The customary variables, which the library reads by itself.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "of-the-tests", "AWS_SECRET_ACCESS_KEY": "secret-of-the-tests"}
if OTHER:
    CREDENTIALS = {name: os.environ[name] for name in CREDENTIALS}
REGION = "us-east-1"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class S3:
    """A running server, and the bucket that a test has there."""

    address: str
    bucket: str = ""

    def with_bucket(self) -> S3:
        """The same server with a fresh bucket."""
        bucket = f"bucket-{os.getpid()}-{next(_numbers)}"
        self.client.create_bucket(Bucket=bucket)
        return replace(self, bucket=bucket)

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def client(self) -> Any:
        """Amazon's own library."""
        return boto3.client(
            "s3",
            endpoint_url=self.address,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    def settings(self, **more: str) -> dict[str, str]:
        """What a process keeps its files here by."""
        return {
            "files_url": f"s3://{self.bucket}/some/files",
            "s3_endpoint": self.address,
            "s3_region": REGION,
            **more,
        }

    def environment(self, **more: str) -> dict[str, str]:
        """The same as variables, with the credentials."""
        named = self.settings(**more).items()
        return CREDENTIALS | {f"DARKROOM_{name.upper()}": value for name, value in named}

    def keys(self) -> list[str]:
        """The keys of all objects in the bucket."""
        found = self.client.list_objects_v2(Bucket=self.bucket)
        return [one["Key"] for one in found.get("Contents", ())]

    def names(self) -> list[str]:
        """The names of all files that are stored."""
        return [Path(key).name for key in self.keys()]

    def head(self, name: str) -> Any:
        """What the server says of a stored file."""
        return self.client.head_object(Bucket=self.bucket, Key=f"some/files/{name}")

    def unfinished(self) -> int:
        """How many uploads in parts have begun and not ended."""
        found = self.client.list_multipart_uploads(Bucket=self.bucket)
        return len(found.get("Uploads", ()))


@contextlib.contextmanager
def run_s3(**environment: str) -> Iterator[S3]:
    """Start a server on a free port, and stop it in the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("moto_server")
    with subprocess.Popen(
        [str(program), "-H", "127.0.0.1", "-p", str(port)],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        one = S3(f"http://127.0.0.1:{port}")
        try:
            wait_until(lambda: _answers(one.address), what="the S3 server's start")
            yield one
        finally:
            process.terminate()


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/moto-api/").status_code == 200
    except httpx.TransportError:
        return False
