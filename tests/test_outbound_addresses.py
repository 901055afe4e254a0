"""Which addresses may be named by callers, as far as their text tells."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from darkroom.errors import ConfigInvalid, InputRefused
from darkroom.outbound import Outbound

NOT_PUBLIC = (
    # IPv4, plainly
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.254"),
    *("100.100.100.200", "127.0.0.1", "127.255.255.254", "169.254.169.254", "169.254.170.2"),
    *("172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1"),
    *("198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1"),
    *("239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
    # IPv6: unspecified, loopback, mapped, compatible, NAT64, local NAT64, discard, Teredo, ORCHID
    *("::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1"),
    *("64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:20::1"),
    # documentation, 6to4, translated, ULA, its metadata service, link-local, site-local, multicast
    *("2001:db8::1", "3fff::1", "2002:7f00:1::", "2002:a9fe:a9fe::", "::ffff:0:127.0.0.1"),
    *("fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "5f00::1", "4000::1"),
)

DISGUISED = (
    # numbers that C libraries read as an address
    *("http://2130706433/", "http://0x7f000001/", "http://0x7f.1/", "http://127.1/"),
    *("http://127.0.1/", "http://0177.0.0.1/", "http://017700000001/", "http://0/"),
    *("http://127.0.0.01/", "http://127.0.0.1.1/", "http://0x7f.0x0.0x0.0x1/", "http://1.2.3.0x/"),
    *("http://256.256.256.256/", "http://127.0.0.-1.1/", "http://4294967295/", "http://0X7F.1/"),
    # the same in other characters
    *("http://１２７.0.0.1/", "http://127。0。0。1/", "http://127．0．0．1/", "http://127｡0｡0｡1/"),
    *("http://①②⑦.0.0.1/", "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", "http://127%2e0.0.1/", "http://%31%32%37.0.0.1/"),
    *("http://8。8。8。8/", "http://٣.1.1.1/", "http://loc\u00adalhost/"),
    # names that mean here
    *("http://localhost/", "http://LOCALHOST/", "http://localhost./", "http://localhost:80/"),
    *("http://a.localhost/", "http://localhost.localdomain/", "http://printer.local/"),
    *("http://metadata.google.internal/", "http://router.home.arpa/", "http://metadata/"),
    *("http://example.com./", "http://127.0.0.1./", "http://.example.com/", "http://a..example/"),
    # a user, a zone, brackets, escapes, spaces, back strokes
    *("http://example.com@127.0.0.1/", "http://u:p@example.com/", "http://@example.com/"),
    *("http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[::1]@example.com/"),
    *("http://[127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[v1.a]/", "http://[::1/"),
    *("http://[0:0:0:0:0:ffff:127.0.0.1]/", "http://[::1]x/", "http://::1/"),
    *("http://example.com\\@127.0.0.1/", "http:\\\\127.0.0.1/", "http://example.com\\.evil/"),
    *(" http://example.com/", "http://exam ple.com/", "http://example.com/\r\nHost: a"),
    *("http://example.com\t/", "http://127.0.0.1\u2028/", "http://exa\u0000mple.com/"),
    # no host, wrong ports
    *("", "http://", "http:///", "http:///etc/passwd", "http://?", "http://:80/", "http:"),
    *("http://example.com:0/", "http://example.com:65536/", "http://example.com:8_0/"),
    *("http://example.com:+80/", "http://example.com:８０/", "http://example.com:/"),
    # other schemes
    *("file:///etc/passwd", "ftp://example.com/", "gopher://example.com/", "data:image/png,a"),
    *("//example.com/a", "example.com", "ws://example.com/", "jar:http://example.com!/"),
    *("http:/example.com/", "http:example.com", "httpx://example.com/", "unix:///run/a.sock"),
    # long
    "http://example.com/" + "a" * 2048,
    "http://" + "a" * 64 + ".example/",
    "http://" + "a." * 130 + "example/",
)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_refuses_an_address_that_is_not_public(address: str) -> None:
    url = f"http://[{address}]/" if ":" in address else f"https://{address}:8443/a.png"
    with pytest.raises(InputRefused, match="image url error") as refused:
        Outbound().check_address(url, field="image")
    assert refused.value.field == "image"


@pytest.mark.parametrize("url", DISGUISED)
def test_refuses_an_address_in_disguise(url: str) -> None:
    with pytest.raises(InputRefused, match="image url error"):
        Outbound().check_address(url)


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


def test_refuses_plain_http_where_it_is_not_allowed() -> None:
    outbound = Outbound(http_allowed=False)
    outbound.check_address("https://example.com/")
    with pytest.raises(InputRefused, match="begin with https://"):
        outbound.check_address("http://example.com/")


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
