"""labnet asks real servers over TLS and HTTPS: unbound, and labnet itself; and labnet resolve asks both."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import certificates
from tests.certificates import NAME
from tests.interop.daemon import DEADLINE, Daemon
from tests.interop.dns_clients import dig, digs
from tests.interop.dns_peers import QUESTIONS, ZONE, Peer
from tests.interop.plain import Address
from tests.interop.tls_peers import unbound_encrypted

LABNET = str(Path(sys.executable).with_name("labnet"))

LAB = """
[resolver.dot]
listen = "udp:0"
parents = "dot:127.0.0.1:{tls}#dns.lab.test"
ca = "ca.pem"

[resolver.doh]
listen = "udp:0"
parents = "doh:https://dns.lab.test:{https}/dns-query@127.0.0.1"
ca = "ca.pem"

[resolver.address]
listen = "udp:0"
parents = "dot:127.0.0.1:{tls}"
ca = "ca.pem"

[resolver.name]
listen = "udp:0"
parents = "dot:127.0.0.1:{tls}#other.test"
ca = "ca.pem"

[resolver.system]
listen = "udp:0"
parents = ["doh:https://dns.lab.test:{https}/dns-query@127.0.0.1"]

[resolver.path]
listen = "udp:0"
parents = ["doh:https://dns.lab.test:{https}/elsewhere@127.0.0.1"]
ca = "ca.pem"

[resolver.own]
listen = ["udp:0", "tls:0:certificate=server.pem:key=server.key", "https:0:certificate=server.pem:key=server.key"]
records = "zone:lab.zone"
zones = "lab.test"
"""


class Lab:
    """A daemon in ``folder`` whose resolvers ask unbound."""

    def __init__(self, folder: Path, daemon: Daemon, peer: Peer) -> None:
        self.folder = folder
        self.daemon = daemon
        self.peer = peer

    def at(self, name: str) -> Address:
        return self.daemon.address(f"resolver {name}")

    def encrypted(self, kind: str) -> Address:
        found = self.daemon.wait_for(rf"resolver own listens on (\S+):(\d+) \({kind}\)")
        return found[1], int(found[2])

    def resolve(self, *words: str) -> tuple[int, str]:
        command = [LABNET, "resolve", *words]
        run = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=DEADLINE)
        return run.returncode, run.stdout + run.stderr


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("parents")
    files = certificates.write(folder)
    (folder / "lab.zone").write_text(ZONE)
    with unbound_encrypted(folder / "unbound", files) as (peer, tls, https):
        (folder / "lab.toml").write_text(LAB.format(tls=tls, https=https))
        with Daemon("labnet", "--config", "lab.toml", cwd=folder) as daemon:
            yield Lab(folder, daemon, peer)


@pytest.mark.parametrize("name", ["dot", "doh", "address"])
def test_unbound_tells_by_each_way_what_it_tells_dig(lab: Lab, name: str) -> None:
    expected = digs(lab.peer.address, QUESTIONS, "+tcp")
    for heard, plain in zip(digs(lab.at(name), QUESTIONS, "+tcp"), expected, strict=True):
        assert (heard.status, heard.answer) == (plain.status, plain.answer), heard.text


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("name", "other.test failed: its certificate is for another name"),
        ("system", "failed: certificate verify failed"),
        ("path", "elsewhere answered with the status 404"),
    ],
)
def test_a_server_that_is_not_the_right_one_is_said(lab: Lab, name: str, says: str) -> None:
    heard = dig(lab.at(name), "www.lab.test")
    assert heard.status == "SERVFAIL"
    assert says in heard.text, heard.text


@pytest.mark.parametrize(("kind", "option"), [("TLS", "--tls"), ("HTTPS", "--https")])
def test_labnet_resolve_asks_by_it_and_says_whose_certificate_it_is(lab: Lab, kind: str, option: str) -> None:
    host, port = lab.encrypted(kind)
    assert lab.resolve(option, "--tls-ca", "ca.pem", host, str(port), "mail.lab.test") == (0, "192.0.2.3\n")
    named = option, "--tls-ca", "ca.pem", "-v", "--tls-name", NAME
    status, said = lab.resolve(*named, host, str(port), "large.lab.test", "TXT")
    assert status == 0
    assert f"the certificate is for {NAME}, 127.0.0.1, by CN=the tests' authority" in said
    status, said = lab.resolve(option, host, str(port), "mail.lab.test")
    assert status == 2
    assert "127.0.0.1 does not prove who it is" in said
    status, said = lab.resolve(f"@{host}", "-p", str(port), f"+{option[2:]}", "+tls-ca=ca.pem", "none.lab.test")
    assert (status, "NXDOMAIN" in said) == (1, True), said
