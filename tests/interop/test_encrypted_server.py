"""Encrypted DNS served to real clients: kdig, unbound, Stubby, OpenSSL; with certificates that change."""

from __future__ import annotations

import os
import socket
import ssl
import struct
from collections.abc import Iterator
from pathlib import Path

import dns.message
import pytest

from tests import certificates
from tests.certificates import NAME, trusting
from tests.interop.daemon import DEADLINE, Daemon
from tests.interop.dns_clients import dig, digs, kdig
from tests.interop.dns_peers import QUESTIONS, ZONE, query
from tests.interop.plain import Address
from tests.interop.tls_peers import s_client, stubby, unbound_over_tls

LAB = """
[lab]
watch = true
{more}
[resolver.main]
listen = ["udp:0", "tls:0:certificate=server.pem:key=server.key"]
records = "zone:lab.zone"
zones = ["lab.test"]
tcp_per_address = 0
rate_limit = 0
"""


class Lab:
    """A daemon in ``folder``, and where it listens."""

    def __init__(self, folder: Path, daemon: Daemon) -> None:
        self.folder = folder
        self.daemon = daemon
        self.authority = folder / "ca.pem"
        self.plain = daemon.address("resolver main")
        found = daemon.wait_for(r"resolver main listens on (\S+):(\d+) \(TLS\)")
        self.tls: Address = (found[1], int(found[2]))

    def over_tls(self, *arguments: str, name: str = NAME, authority: Path | None = None) -> tuple[str, ...]:
        """Words for kdig, strict about the server's name."""
        return ("+tls", f"+tls-ca={authority or self.authority}", f"+tls-hostname={name}", *arguments)

    def serial(self) -> str:
        """The serial number of the certificate that is shown now."""
        with self.connect() as tls:
            return str(dict(tls.getpeercert() or {})["serialNumber"])

    def connect(self) -> ssl.SSLSocket:
        """A connection over TLS."""
        sock = socket.create_connection(self.tls, DEADLINE)
        return trusting("dot").wrap_socket(sock, server_hostname=NAME)


def write_lab(folder: Path, more: str = "") -> None:
    certificates.write(folder)
    (folder / "lab.zone").write_text(ZONE)
    (folder / "lab.toml").write_text(LAB.replace("{more}", more))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("encrypted")
    write_lab(folder)
    with Daemon("labnet", "--config", "lab.toml", cwd=folder) as daemon:
        yield Lab(folder, daemon)


def test_kdig_gets_by_tls_what_dig_gets_without(lab: Lab) -> None:
    expected = digs(lab.plain, QUESTIONS, "+tcp")
    for (name, rrtype), plain in zip(QUESTIONS, expected, strict=True):
        assert kdig(lab.tls, *lab.over_tls(name, rrtype)).told == plain.told, (name, rrtype)


def test_kdig_refuses_another_name_and_another_authority(lab: Lab, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(certificates.pem_of(certificates.authority("another").certificate))
    for words in (lab.over_tls("www.lab.test", name="other.test"), lab.over_tls("www.lab.test", authority=other)):
        with pytest.raises(AssertionError, match="TLS, handshake failed"):
            kdig(lab.tls, *words)
    assert kdig(lab.tls, *lab.over_tls("www.lab.test")).status == "NOERROR"


def test_only_who_pads_is_padded_to(lab: Lab) -> None:
    assert "Received 468 B" in kdig(lab.tls, *lab.over_tls("www.lab.test", "+padding")).text
    assert "Received 468 B" not in kdig(lab.tls, *lab.over_tls("www.lab.test", "+nopadding")).text


def test_openssl_agrees_to_dot_by_alpn_with_tls_1_3_and_1_2(lab: Lab) -> None:
    for options, version in (((), "TLSv1.3"), (("-tls1_2",), "TLSv1.2")):
        said = s_client(lab.tls, lab.authority, "-alpn", "h2,dot", *options)
        assert "ALPN protocol: dot" in said, said
        assert "Verify return code: 0 (ok)" in said, said
        assert f"New, {version}" in said, said
    said = s_client(lab.tls, lab.authority, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    assert "alert protocol version" in said, said


def test_unbound_forwards_over_tls(lab: Lab, tmp_path: Path) -> None:
    with unbound_over_tls(tmp_path / "unbound", lab.tls[1], lab.authority) as peer:
        for heard, plain in zip(digs(peer.address, QUESTIONS), digs(lab.plain, QUESTIONS, "+tcp"), strict=True):
            assert heard.answer == plain.answer
    with unbound_over_tls(tmp_path / "strict", lab.tls[1], lab.authority, "other.test") as peer:
        assert dig(peer.address, "www.lab.test").status == "SERVFAIL"


def test_stubby_forwards_over_tls(lab: Lab, tmp_path: Path) -> None:
    with stubby(tmp_path / "stubby", lab.tls[1], lab.authority) as peer:
        for heard, plain in zip(digs(peer.address, QUESTIONS), digs(lab.plain, QUESTIONS, "+tcp"), strict=True):
            assert heard.answer == plain.answer


def test_thousand_questions_in_one_write_are_all_answered(lab: Lab) -> None:
    messages = [query("www.lab.test", id=number) for number in range(1000)]
    with lab.connect() as tls, tls.makefile("rb") as stream:
        tls.sendall(b"".join(struct.pack("!H", len(one)) + one for one in messages))
        sizes = (int.from_bytes(stream.read(2), "big") for _ in messages)
        found = [dns.message.from_wire(stream.read(size)) for size in sizes]
    assert sorted(reply.id for reply in found) == list(range(1000))
    assert all(len(reply.answer[0]) == 2 for reply in found)


def test_strangers_cost_a_connection_each(lab: Lab) -> None:
    for data in (
        b"",
        b"\x16\x03\x01",
        b"\x16\x03\x01\xff\xff" + b"\x01" * 20000,
        b"GET / HTTP/1.1\r\n\r\n",
        os.urandom(999),
    ):
        with socket.create_connection(lab.tls, DEADLINE) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
    assert kdig(lab.tls, *lab.over_tls("www.lab.test")).status == "NOERROR"


def test_a_renewed_certificate_is_taken_by_the_watch(lab: Lab) -> None:
    before, done = lab.serial(), lab.daemon.log.count("the lab was reloaded")
    certificates.write(lab.folder, certificates.server(NAME, "127.0.0.1", "renewed.lab.test"))
    lab.daemon.wait_for_all("the lab was reloaded", done + 1)
    assert lab.serial() != before


def test_a_certificate_that_cannot_be_used_changes_nothing(lab: Lab) -> None:
    good = (lab.folder / "server.key").read_bytes()
    before, failed = lab.serial(), lab.daemon.log.count("the lab was not reloaded")
    (lab.folder / "server.key").write_bytes(certificates.server("other.test")[1])
    lab.daemon.wait_for_all("the lab was not reloaded", failed + 1)
    lab.daemon.wait_for(r"server\.key: is not the key of the certificate")
    assert lab.serial() == before
    (lab.folder / "server.key").write_bytes(good)


def test_workers_serve_it_together_and_reload(tmp_path: Path) -> None:
    write_lab(tmp_path, "workers = 2")
    with Daemon("labnet", "--config", "lab.toml", cwd=tmp_path) as daemon:
        lab = Lab(tmp_path, daemon)
        for _ in range(8):
            assert kdig(lab.tls, *lab.over_tls("www.lab.test")).status == "NOERROR"
        before = lab.serial()
        certificates.write(tmp_path, certificates.server(NAME, "127.0.0.1", "renewed.lab.test"))
        daemon.wait_for(r"SupervisorService#info\] the lab was reloaded")
        assert before not in {lab.serial() for _ in range(8)}
