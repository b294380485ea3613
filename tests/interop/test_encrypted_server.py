"""Encrypted DNS served to real clients: kdig, unbound, Stubby, curl, OpenSSL; with certificates that change."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import ssl
import struct
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dns.message
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from labnet.wire.web.doh import target_of
from tests import certificates
from tests.certificates import NAME, trusting
from tests.interop.browsers import FLAGS
from tests.interop.daemon import DEADLINE, Daemon
from tests.interop.dns_clients import dig, digs, kdig
from tests.interop.dns_peers import QUESTIONS, ZONE, query
from tests.interop.peers import tool
from tests.interop.plain import Address
from tests.interop.tls_peers import s_client, stubby, unbound_over_tls

LAB = """
[lab]
watch = true
{more}
[resolver.main]
listen = [
    "udp:0",
    "tls:0:certificate=server.pem:key=server.key",
    "https:0:certificate=server.pem:key=server.key",
    "http:0",
]
records = "zone:lab.zone"
zones = ["lab.test"]
transfer = "127.0.0.0/8"
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
        self.tls, self.https, self.http = (self._address(kind) for kind in ("TLS", "HTTPS", "HTTP"))

    def _address(self, kind: str) -> Address:
        found = self.daemon.wait_for(rf"resolver main listens on (\S+):(\d+) \({kind}\)")
        return found[1], int(found[2])

    def over_tls(self, *arguments: str, name: str = NAME, authority: Path | None = None) -> tuple[str, ...]:
        """Words for kdig, strict about the server's name."""
        return ("+tls", f"+tls-ca={authority or self.authority}", f"+tls-hostname={name}", *arguments)

    def over_https(self, *arguments: str) -> tuple[str, ...]:
        """Words for kdig, by HTTPS."""
        return (f"+https={NAME}/dns-query", *self.over_tls(*arguments)[1:])

    def curl(self, *arguments: str) -> tuple[int, bytes]:
        """The status and the body of what curl gets at :data:`NAME`; ``{}`` stands for the address of the page."""
        place = f"{NAME}:{self.https[1]}"
        words = [word.replace("{}", f"https://{place}/dns-query") for word in arguments]
        command = [tool("curl", "curl"), "-s", "--cacert", str(self.authority), "--resolve", f"{place}:127.0.0.1"]
        run = subprocess.run([*command, "-w", "\n%{http_code}", *words], capture_output=True, timeout=DEADLINE)
        body, _, status = run.stdout.rpartition(b"\n")
        return int(status), body

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
    (folder / "lab.zone").write_text(ZONE + "web A 127.0.0.1\n")
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


def test_zone_is_given_by_tls_as_by_tcp(lab: Lab) -> None:
    command = [
        tool("kdig", "knot-dnsutils"),
        f"@{lab.tls[0]}",
        "-p",
        str(lab.tls[1]),
        *lab.over_tls("lab.test", "AXFR"),
    ]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=True).stdout
    assert shown.count("\tSOA\t") == 2
    assert "192.0.2.2" in shown


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


def test_kdig_gets_by_https_what_dig_gets_without(lab: Lab) -> None:
    expected = digs(lab.plain, QUESTIONS, "+tcp")
    for (name, rrtype), plain in zip(QUESTIONS, expected, strict=True):
        heard = kdig(lab.https, *lab.over_https(name, rrtype))
        assert heard.told == plain.told, (name, rrtype)
        assert "HTTP/2-POST" in heard.text
    assert "HTTP/2-GET" in kdig(lab.https, *lab.over_https("www.lab.test", "+https-get")).text


def test_curl_gets_messages_by_both_versions_and_a_status_for_anything_else(lab: Lab) -> None:
    message = query("www.lab.test", id=0)
    target = target_of(b"/dns-query", message).decode().removeprefix("/dns-query")
    posted = ("-H", "content-type: application/dns-message", "--data-binary")
    for version in "--http2", "--http1.1":
        status, body = lab.curl(version, "{}" + target)
        assert (status, len(dns.message.from_wire(body).answer[0])) == (200, 2)
        for expected, words in (
            (400, ("{}",)),
            (400, ("{}?dns=%",)),
            (400, (*posted, "x", "{}")),
            (404, ("{}/other",)),
            (405, ("-X", "DELETE", "{}")),
            (413, (*posted, "x" * 70_000, "{}")),
            (415, ("--data-binary", "x" * 20, "{}")),
        ):
            status, body = lab.curl(version, *words)
            assert (status, body[-1:]) == (expected, b"\n"), (version, words[-1][:30])


def test_curl_looks_names_up_by_https(lab: Lab) -> None:
    place = f"https://{NAME}:{lab.https[1]}/dns-query"
    command = [tool("curl", "curl"), "-sv", "--max-time", "2", "--doh-insecure", "--doh-url", place]
    resolve = ("--resolve", f"{NAME}:{lab.https[1]}:127.0.0.1")
    run = subprocess.run([*command, *resolve, "http://mail.lab.test:1/"], capture_output=True, text=True)
    assert "Trying 192.0.2.3:1" in run.stderr, run.stderr


def test_what_stands_behind_a_proxy_needs_no_certificate(lab: Lab) -> None:
    message = query("www.lab.test", id=0)
    head = "POST /dns-query HTTP/1.1\r\nhost: x\r\ncontent-type: application/dns-message\r\n"
    with socket.create_connection(lab.http, DEADLINE) as sock, sock.makefile("rb") as stream:
        sock.sendall(f"{head}content-length: {len(message)}\r\nconnection: close\r\n\r\n".encode() + message)
        head_of_reply, _, body = stream.read().partition(b"\r\n\r\n")
    assert head_of_reply.startswith(b"HTTP/1.1 200 ")
    assert b"cache-control: max-age=300" in head_of_reply
    assert len(dns.message.from_wire(body).answer[0]) == 2


class Page(BaseHTTPRequestHandler):
    """Says one sentence."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/plain")
        self.end_headers()
        self.wfile.write(b"found by DNS over HTTPS")

    def log_message(self, *arguments: object) -> None:
        """Nothing is said of a request."""


def test_chromium_looks_names_up_by_https_alone(lab: Lab, tmp_path: Path) -> None:
    settings = {"mode": "secure", "templates": f"https://127.0.0.1:{lab.https[1]}/dns-query"}
    (tmp_path / "Local State").write_text(json.dumps({"dns_over_https": settings}))
    key = x509.load_pem_x509_certificate((lab.folder / "server.pem").read_bytes()).public_key()
    known = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    command = [tool("chromium", "chromium"), *FLAGS, f"--user-data-dir={tmp_path}", "--dump-dom"]
    command += [f"--ignore-certificate-errors-spki-list={b64encode(known).decode()}"]
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            command.append(f"http://web.lab.test:{server.server_port}/")
            run = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
        finally:
            server.shutdown()
    assert "found by DNS over HTTPS" in run.stdout, run.stdout + run.stderr


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
    for address in lab.tls, lab.https, lab.http:
        strangers(address)
    assert kdig(lab.tls, *lab.over_tls("www.lab.test")).status == "NOERROR"
    assert kdig(lab.https, *lab.over_https("www.lab.test")).status == "NOERROR"


def strangers(address: Address) -> None:
    """Connections with bytes that are no question."""
    for data in (
        b"",
        b"\x16\x03\x01",
        b"\x16\x03\x01\xff\xff" + b"\x01" * 20000,
        b"GET / HTTP/1.1\r\n\r\n",
        os.urandom(999),
    ):
        with socket.create_connection(address, DEADLINE) as sock, contextlib.suppress(ConnectionError):
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass


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
