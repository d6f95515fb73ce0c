"""URLs of webhooks: what is refused when saved, and what is sent to."""

import pytest

from schemas.errors import InputError
from streams.delivery.sending.webhook_url import AllowedHosts, WebhookUrl, parse_webhook_url

NONE = AllowedHosts()


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("https://a..b/", "a host name that DNS can hold"),
        ("https://1.1.1.1:99999/", "a port of 1 to 65535"),
        ("https://a.example:0/", "a port of 1 to 65535"),
        ("https://a.example:٤٤٣/", "a port of 1 to 65535"),
        ("https://a.example:/", "no colon without a port"),
        ("https://[foo/", "have a host"),
        ("https:///x", "have a host"),
        ("https://[::1%25lo]/", "without a zone"),
        ("https://[::1]x/", "in its brackets"),
        (f"https://{'a' * 64}.example/", "labels of 1 to 63"),
        (f"https://{'.'.join(['a' * 60] * 5)}/", "a host name that DNS can hold"),
        ("https://-a.example/", "a host name that DNS can hold"),
        ("https://a.example./", "a host name that DNS can hold"),
        ("https://xn--a/", "a host name that DNS can hold"),
        ("https://127.1/", "four numbers"),
        ("https://0x7f.1/", "four numbers"),
        ("https://2130706433/", "four numbers"),
        ("https://a.example/\x1b[2J", "no spaces, control characters"),
        ("https://a.example/\u202etxt", "no spaces, control characters"),
        ("https://a.example/a b", "no spaces, control characters"),
        ("https://a.example\\@b.example/", "backslashes"),
        ("https://user:word@a.example/", "no user name or password"),
        ("https://a.example/#top", "no fragment"),
        ("https://a.example/ü", "percent-encode"),
        ("http://a.example/", "be https, unless the operator allows"),
        ("https://a.example:8443/", "have port 443, unless the operator allows"),
        ("ftp://a.example/", "begin with https://"),
        ("a.example", "begin with https://"),
    ],
)
def test_a_url_that_cannot_be_sent_to_is_refused(url: str, rule: str) -> None:
    with pytest.raises(InputError, match="webhook: the URL must ") as caught:
        parse_webhook_url(url, NONE)
    assert rule in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("url", "parsed", "authority"),
    [
        ("https://a.example", WebhookUrl("https", "a.example", 443, "/"), "a.example"),
        (
            "HTTPS://A.Example:443/x?q=1",
            WebhookUrl("https", "a.example", 443, "/x?q=1"),
            "a.example",
        ),
        (
            "https://münchen.example/@user",
            WebhookUrl("https", "xn--mnchen-3ya.example", 443, "/@user"),
            "xn--mnchen-3ya.example",
        ),
        ("https://1.1.1.1/", WebhookUrl("https", "1.1.1.1", 443, "/"), "1.1.1.1"),
        (
            "https://[2606:4700:0::1111]/",
            WebhookUrl("https", "2606:4700::1111", 443, "/"),
            "[2606:4700::1111]",
        ),
    ],
)
def test_a_url_is_parsed_into_what_is_sent(url: str, parsed: WebhookUrl, authority: str) -> None:
    found = parse_webhook_url(url, NONE)
    assert found == parsed
    assert found.authority == authority


def test_the_operator_allows_a_host_on_every_port_or_on_one() -> None:
    allowed = AllowedHosts(["local", "other:8443", "::1", "[::2]:8080"])
    for url in ("http://local/", "http://local:81/", "https://other:8443/", "http://[::1]:9/",
                "http://[::2]:8080/"):  # fmt: skip
        parse_webhook_url(url, allowed)
    for url in ("https://other:8444/", "http://other/", "http://[::2]/", "http://locale/"):
        with pytest.raises(InputError, match="unless the operator allows"):
            parse_webhook_url(url, allowed)
    assert parse_webhook_url("http://local:81/", allowed).authority == "local:81"


@pytest.mark.parametrize(
    "entry", ["", "a:b", "x:0", "x:99999", "u@x", "[::1", "a/b", "a b", "a..b"]
)
def test_a_malformed_entry_of_the_operator_is_refused(entry: str) -> None:
    with pytest.raises(InputError, match="--allow-host: must be HOST or HOST:PORT; got"):
        AllowedHosts([entry])
