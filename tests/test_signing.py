"""Signatures of webhooks: what is signed is verified, also by strangers, and nothing else is."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from darkroom import signing
from darkroom.signing import KeyUnusable, NotVerified, SigningKey


def key(seed: str, public: str) -> SigningKey:
    """A key of a test vector; both halves in hex."""
    return SigningKey.load("whsk_" + base64.b64encode(bytes.fromhex(seed + public)).decode())


# Fixed, so that the tests have the same names in every process.
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()
# The first two keys of RFC 8032, section 7.1.
KEY = key(
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
)
OTHER_KEY = key(
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
)
BODY = '{"status":0,"data":{"prompt":"Ein Bär"}}'.encode()
AT = 1_764_000_000


def signed(body: bytes = BODY, at_seconds: int = AT) -> dict[str, str]:
    """The headers of a delivery under the first secret and the first key."""
    return signing.headers("msg_1", at_seconds, body, [SECRET], KEY)


def signatures(headers: Mapping[str, str], version: str) -> list[str]:
    found = (one.partition(",") for one in headers["webhook-signature"].split(" "))
    return [text for name, _, text in found if name == version]


def test_signs_the_vector_of_the_specification_s_libraries() -> None:
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    headers = signing.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, [secret], None)
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("secret", [SECRET, OTHER])
def test_verifies_by_the_reference_library_under_every_live_secret(secret: str) -> None:
    headers = signing.headers("msg_1", int(time.time()), BODY, [SECRET, OTHER], KEY)
    assert standardwebhooks.Webhook(secret).verify(BODY, headers) == json.loads(BODY)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(signing.new_secret()).verify(BODY, headers)


def test_verifies_what_the_reference_library_signs() -> None:
    now = time.time()
    text = BODY.decode()
    at = datetime.fromtimestamp(now, UTC)
    headers = {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(now)),
        "Webhook-Signature": standardwebhooks.Webhook(SECRET).sign("msg_1", at, text),
    }
    signing.verify(headers, text, SECRET)


@pytest.mark.parametrize(
    "secret", [SECRET, KEY.public, [OTHER, SECRET], [OTHER_KEY.public, SECRET]]
)
@pytest.mark.parametrize("spell", [str.lower, str.upper, str.title])
def test_verifies_any_case_of_headers_and_any_live_secret(secret, spell) -> None:
    headers = {spell(name): text for name, text in signed().items()} | {"host": "a"}
    signing.verify(headers, BODY, secret, now=AT + 299)
    signing.verify(headers, BODY.decode(), secret, now=AT - 299)


def test_makes_fresh_and_long_secrets_and_keys() -> None:
    fresh = signing.new_secret()
    assert fresh.startswith("whsec_")
    assert len(base64.b64decode(fresh.removeprefix("whsec_"))) == 32
    assert fresh != signing.new_secret()
    assert SigningKey.make().dump() != SigningKey.make().dump()


@pytest.mark.parametrize("secret", [SECRET, KEY.public])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("webhook-id", "msg_2"),
        ("webhook-id", "msg_1\ud800"),
        ("webhook-timestamp", str(AT + 1)),
        ("webhook-signature", "v1,"),
        ("webhook-signature", "v1"),
        ("webhook-signature", "v1a,%%%"),
        ("webhook-signature", "v1,é v1a,é\ud800"),
        ("webhook-signature", "v2," + signatures(signed(), "v1")[0]),
        ("webhook-signature", "v1a," + signatures(signed(), "v1")[0]),
        ("webhook-signature", "v1," + signatures(signed(), "v1a")[0]),
        ("webhook-signature", "v1," + signatures(signed(), "v1")[0][:-2]),
        (
            "webhook-signature",
            signing.headers("msg_1", AT, BODY, [OTHER], OTHER_KEY)["webhook-signature"],
        ),
    ],
)
def test_refuses_a_forged_header(secret: str, name: str, text: str) -> None:
    with pytest.raises(NotVerified, match="No signature matches"):
        signing.verify({**signed(), name: text}, BODY, secret, now=AT)


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_refuses_a_body_with_one_byte_changed(place: int, flip: int) -> None:
    tampered = bytes([*BODY[:place], BODY[place] ^ flip, *BODY[place + 1 :]])
    for secret in (SECRET, KEY.public):
        with pytest.raises(NotVerified, match="No signature matches"):
            signing.verify(signed(), tampered, secret, now=AT)


def test_refuses_to_look_at_more_signatures_than_a_sender_has() -> None:
    headers = signed()
    headers["webhook-signature"] = "v1,a " * 16 + headers["webhook-signature"]
    with pytest.raises(NotVerified, match="No signature matches"):
        signing.verify(headers, BODY, SECRET, now=AT)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_says_which_header_is_missing(name: str) -> None:
    headers = signed()
    del headers[name]
    for given_headers in (headers, {**headers, name: ""}):
        with pytest.raises(NotVerified, match=f"The header {name} is missing"):
            signing.verify(given_headers, BODY, SECRET, now=AT)


@pytest.mark.parametrize(
    ("late_seconds", "said"), [(301, "too old: 301"), (-301, "too new: 301"), (10**6, "too old")]
)
def test_refuses_a_replay_and_a_time_to_come(late_seconds: int, said: str) -> None:
    with pytest.raises(NotVerified, match=f"webhook-timestamp is {said}"):
        signing.verify(signed(), BODY, SECRET, now=AT + late_seconds)
    signing.verify(signed(), BODY, SECRET, now=AT + late_seconds, tolerance_seconds=10**6)


def test_compares_with_the_clock_of_this_machine() -> None:
    signing.verify(signed(at_seconds=int(time.time())), BODY, SECRET)
    with pytest.raises(NotVerified, match="too old"):
        signing.verify(signed(at_seconds=int(time.time()) - 310), BODY, SECRET)


@pytest.mark.parametrize(
    "text", ["soon", "1.5", "-1", " 1", "١٢", pytest.param("9" * 5000, id="huge"), "1e9", "0x10"]
)
def test_refuses_a_time_that_is_none(text: str) -> None:
    with pytest.raises(NotVerified, match="whole seconds"):
        signing.verify({**signed(), "webhook-timestamp": text}, BODY, SECRET, now=AT)


@pytest.mark.parametrize(
    "secret",
    [
        *("", "whsec_", "whsec_%%%", SECRET.removeprefix("whsec_"), SECRET[:-9], SECRET + "A"),
        *(KEY.dump(), "whpk_", KEY.public[:-4], [OTHER, "nothing"]),
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
    ],
)
def test_says_that_a_secret_is_none_and_not_what_it_is(secret: str | list[str]) -> None:
    with pytest.raises(KeyUnusable, match="copy the whole of it") as unusable:
        signing.verify(signed(), BODY, secret, now=AT)
    assert not isinstance(secret, str) or not secret[6:] or secret[6:] not in str(unusable.value)


def test_keeps_a_key_over_a_dump() -> None:
    again = SigningKey.load(KEY.dump())
    assert again.dump() == KEY.dump()
    assert again.public == KEY.public != OTHER_KEY.public
    headers = signing.headers("msg_1", AT, BODY, [], again)
    signing.verify(headers, BODY, KEY.public, now=AT)
    with pytest.raises(NotVerified):
        signing.verify(headers, BODY, [OTHER_KEY.public, SECRET], now=AT)


@pytest.mark.parametrize(
    "text",
    [
        *("", "whsk_", SECRET, KEY.public, KEY.dump()[:-4]),
        "whsk_" + base64.b64encode(bytes(64)).decode(),
    ],
)
def test_loads_nothing_that_is_no_key(text: str) -> None:
    with pytest.raises(KeyUnusable):
        SigningKey.load(text)


def test_gives_the_key_and_the_thumbprint_of_rfc_8037() -> None:
    # Its appendices A.2 and A.3, and the signature of nothing in RFC 8032, section 7.1.
    assert KEY.jwk() == {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        "use": "sig",
        "alg": "EdDSA",
    }
    x = base64.urlsafe_b64decode(KEY.jwk()["x"] + "=")
    assert KEY.public == "whpk_" + base64.b64encode(x).decode()
    assert (
        KEY.sign(b"").hex().startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065")
    )


def test_needs_cryptography_for_public_keys_only() -> None:
    story = f"""
import sys
sys.modules["cryptography"] = None  # as where it is not installed
from darkroom import signing
headers, body = {signed()!r}, {BODY!r}
signing.verify(headers, body, {SECRET!r}, now={AT})
try:
    signing.verify(headers, body, {KEY.public!r}, now={AT})
except signing.KeyUnusable as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", story], capture_output=True, text=True, timeout=60)
    assert "pip install cryptography" in ran.stdout, ran.stderr


def test_loads_cryptography_for_public_keys_only() -> None:
    story = "import sys, darkroom.client.webhooks; print('cryptography' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", story], capture_output=True, text=True, timeout=60)
    assert ran.stdout == "False\n", ran.stderr


def test_refuses_a_replay_whose_borders_were_moved() -> None:
    # A prompt may hold anything, also a time to come: then the front of the body becomes the id.
    body = f'{{"prompt":"a.{AT + 9000}.b"}}'.encode()
    front, _, back = body.partition(f".{AT + 9000}.".encode())
    genuine = signing.headers("msg_1", AT, body, [SECRET], KEY)
    moved = {
        **genuine,
        "webhook-id": f"msg_1.{AT}.{front.decode()}",
        "webhook-timestamp": str(AT + 9000),
    }
    for secret in (SECRET, KEY.public):
        signing.verify(genuine, body, secret, now=AT)
        with pytest.raises(NotVerified, match="borders"):
            signing.verify(moved, back, secret, now=AT + 9000)


def test_signs_no_id_that_could_move_the_borders() -> None:
    with pytest.raises(AssertionError):
        signing.headers("msg.1", AT, BODY, [SECRET], None)
