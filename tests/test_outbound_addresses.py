"""Which addresses may be named by callers, as far as their text tells."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bypasses import DISGUISED, INWARD, literal
from darkroom.errors import ConfigInvalid, InputRefused, WebhookRefused
from darkroom.outbound import Outbound


@pytest.mark.parametrize("name", INWARD)
def test_refuses_an_address_that_is_not_public(name: str) -> None:
    with pytest.raises(InputRefused, match=r"^image url error: .* not public") as refused:
        Outbound().check_address(literal(INWARD[name], 80), field="image")
    assert refused.value.field == "image"
    with pytest.raises(WebhookRefused, match=r"^webhook_url error: .* not public") as refused:
        Outbound(webhook_http=True).check_webhook(literal(INWARD[name], 80))
    assert refused.value.field == "webhook_url"


@pytest.mark.parametrize("name", DISGUISED)
def test_refuses_an_address_in_disguise(name: str) -> None:
    url = DISGUISED[name].format(port=8080)
    with pytest.raises(InputRefused, match=r"^image url error: the input address"):
        Outbound().check_address(url)
    with pytest.raises(WebhookRefused, match=r"^webhook_url error: the webhook address"):
        Outbound(webhook_http=True).check_webhook(url)


def test_knows_at_least_a_hundred_bypasses_under_names_of_their_own() -> None:
    assert len(INWARD) + len(DISGUISED) >= 100
    assert not INWARD.keys() & DISGUISED.keys()
    assert len({*INWARD.values(), *DISGUISED.values()}) == len(INWARD) + len(DISGUISED)


@pytest.mark.parametrize(
    ("url", "passes"),
    [
        ("https://example.com/hook", True),
        ("HTTPS://Example.com:8443/hook?a=b", True),
        ("http://example.com/hook", False),
        ("http://8.8.8.8/hook", False),
        ("http://minio:9000/hook", True),
        ("http://minio:9001/hook", False),
        ("http://10.0.0.5/hook", True),
        ("http://10.0.1.5/hook", False),
    ],
)
def test_takes_webhooks_over_plain_http_only_where_it_is_allowed(url: str, passes: bool) -> None:
    allow = ["minio:9000", "10.0.0.0/24"]
    if passes:
        Outbound(allow).check_webhook(url)
        return
    with pytest.raises(WebhookRefused):
        Outbound(allow).check_webhook(url)
    if "example.com" in url:
        Outbound(allow, webhook_http=True).check_webhook(url)
        with pytest.raises(WebhookRefused, match=r"must begin with https://\.$"):
            Outbound(allow).check_webhook(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "HTTPS://Example.COM:8443/a.png?x=http://127.0.0.1/#y@z",
        "https://bücher.example/ü.png",
        "https://xn--bcher-kva.example/",
        "https://8.8.8.8/",
        "http://[2606:4700:4700::1111]:8080/",
        "http://[64:ff9b::808:808]/",
        "https://127.0.0.1.nip.io/",
        "https://1.2.3.4.com/",
        "https://a_b.example/~u/%20(1).png",
    ],
)
def test_passes_a_public_address(url: str) -> None:
    Outbound().check_address(url)


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ("10.0.0.5", "http://10.0.0.5:81/"),
        ("10.0.0.0/8", "http://10.9.8.7/"),
        ("127.0.0.1:9000", "http://127.0.0.1:9000/"),
        ("fd00::/8", "http://[fd00::7]/"),
        ("[::1]:9000", "http://[::1]:9000/"),
        ("minio", "http://minio:9000/"),
        ("Minio.Internal:9000", "http://minio.internal:9000/"),
        ("localhost", "http://localhost/"),
    ],
)
def test_passes_what_the_operator_allows(entry: str, named: str) -> None:
    Outbound([entry]).check_address(named)
    with pytest.raises(InputRefused):
        Outbound().check_address(named)


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ("127.0.0.1:9000", "http://127.0.0.1:9001/"),
        ("127.0.0.1", "http://[::ffff:127.0.0.1]/"),
        ("minio:9000", "http://minio:9001/"),
        ("minio", "http://minio.internal/"),
        ("10.0.0.0/24", "http://10.0.1.0/"),
    ],
)
def test_refuses_what_is_only_near_to_what_is_allowed(entry: str, named: str) -> None:
    with pytest.raises(InputRefused):
        Outbound([entry]).check_address(named)


@pytest.mark.parametrize(
    "entry",
    ["", " ", "*.lan", "http://minio", "10.0.0.5/8", "127.1", "a b", "minio:x", "u@h", "0x7f.1"],
)
def test_raises_config_invalid_for_an_entry_it_cannot_read(entry: str) -> None:
    with pytest.raises(ConfigInvalid, match="DARKROOM_OUTBOUND_ALLOW"):
        Outbound([entry])


@given(
    st.text(max_size=300)
    | st.builds("http://{}:{}/{}".format, st.text(max_size=80), st.integers(), st.text())
)
@example("http://a.example/\ud800")
@example("http://\ud800.example/")
def test_answers_any_text_with_a_pass_or_a_refusal(url: str) -> None:
    try:
        Outbound().check_address(url)
    except InputRefused as refused:
        assert "image url error" in refused.message  # noqa: PT017


@given(st.ip_addresses(), st.sampled_from(["8.8.8.8", "1.1.1.1"]))
def test_passes_no_more_than_the_standard_library_calls_global(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, known: str
) -> None:
    Outbound().check_address(f"http://{known}/")
    url = f"http://[{address}]/" if ":" in str(address) else f"http://{address}/"
    try:
        Outbound().check_address(url)
    except InputRefused:
        return
    assert address.is_global
