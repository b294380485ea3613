"""dig, kdig and drill ask the lab over UDP and TCP: every kind of record, option and refusal."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator

import dns.rdataclass
import dns.rdatatype
import dns.zone
import pytest

from tests.interop.daemon import DEADLINE, Daemon
from tests.interop.dns_clients import Heard, Record, dig, drill, kdig
from tests.interop.dns_peers import free_port
from tests.interop.peers import tool
from tests.interop.plain import Address, resolve

ZONE = f"""$ORIGIN lab.test.
$TTL 300
@        SOA    ns admin 1 3600 600 86400 60
@        NS     ns
@        MX     10 mail
@        CAA    0 issue "ca.example"
ns       A      127.0.0.1
www      A      192.0.2.1
www      A      192.0.2.2
www      AAAA   2001:db8::1
www      HTTPS  1 . alpn=h2 port=8443
mail     A      192.0.2.3
mail     TXT    "v=spf1 -all" "second; string"
alias    CNAME  www
tree     DNAME  other
a.other  A      192.0.2.5
_sip._udp SRV   1 2 5060 www
pointer  PTR    www
host     HINFO  "PDP-11" "UNIX"
phone    NAPTR  100 10 "u" "E2U+sip" "!^.*$!sip:info@lab.test!" .
place    LOC    51 30 12.748 N 0 7 39.611 W 0.00m 1m 10000m 10m
key      SSHFP  4 2 {"ab" * 32}
_443._tcp TLSA  3 1 1 {"cd" * 32}
page     URI    10 1 "https://lab.test/"
private  TYPE65280 \\# 3 010203
middle   TXT    {" ".join(f'"{number}{"m" * 200}"' for number in range(4))}
large    TXT    {" ".join(f'"{number:03}{"x" * 200}"' for number in range(12))}
*.wild   A      192.0.2.4
"""

COURSE = """www.google.co.il,1.2.3.4,60
www.biu.ac.il,21.09.1992.8,60
"""

HOSTS = "192.0.2.77 printer.home.arpa printer\n2001:db8::77 printer.home.arpa\n"

LAB = """
[resolver.main]
listen = "udp:0"
records = ["zone:lab.zone", "course:ips.txt", "hosts:hosts"]
zones = ["lab.test"]
nsid = "lab-1"
tcp_idle = 7.5

[resolver.curt]
listen = "udp:0"
records = "zone:lab.zone"
explain = false

[resolver.child]
listen = "udp:0"
parents = "dns:127.0.0.1:{parent}"
parent_timeout = 3600
parent_tries = 1
"""

Client = Callable[..., Heard]

UDP_AND_TCP = {
    dig: (("+notcp",), ("+tcp",)),
    kdig: (("+notcp",), ("+tcp",)),
    drill: (("-u",), ("-t",)),
}

CLIENTS = [pytest.param(client, id=client.__name__) for client in UDP_AND_TCP]


def every_rrset() -> list[tuple[str, str, frozenset[Record]]]:
    """Name, type and records of the zone, as dnspython reads them, without what is for other tests."""
    zone = dns.zone.from_text(ZONE, "lab.test", relativize=False)
    return [
        (
            str(name),
            dns.rdatatype.to_text(rdataset.rdtype),
            frozenset((str(name), dns.rdatatype.to_text(rdataset.rdtype), rdata.to_text()) for rdata in rdataset),
        )
        for name, rdataset in zone.iterate_rdatasets()
        if not str(name).startswith(("large", "middle"))
    ]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A lab with records from a zone file, a course file and a hosts file."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "lab.zone").write_text(ZONE)
    (folder / "ips.txt").write_text(COURSE)
    (folder / "hosts").write_text(HOSTS)
    (folder / "lab.toml").write_text(LAB.format(parent=free_port()))
    with Daemon("labnet", "--config=lab.toml", cwd=folder) as daemon:
        yield daemon


@pytest.fixture
def main(lab: Daemon) -> Address:
    """The resolver with all the records."""
    return lab.address("resolver main")


def size(heard: Heard) -> int:
    """The bytes of the answer, as dig counts them."""
    found = re.search(r"^;; MSG SIZE  rcvd: (\d+)", heard.text, re.MULTILINE)
    assert found, heard.text
    return int(found[1])


def printed(program: str, package: str, *arguments: str, asks: str = "") -> str:
    """What a client prints that has ``asks`` for its input."""
    command = [tool(program, package), *arguments]
    run = subprocess.run(command, input=asks, capture_output=True, text=True, timeout=DEADLINE)
    return run.stdout + run.stderr


@pytest.mark.parametrize("client", CLIENTS)
def test_every_type_of_record_is_served(main: Address, client: Client) -> None:
    """Each client prints each RRset of the zone file, by UDP and by TCP, with the file's TTL and AA."""
    for name, rrtype, records in every_rrset():
        number = f"TYPE{int(dns.rdatatype.from_text(rrtype))}"
        for transport in UDP_AND_TCP[client]:
            heard = client(main, *transport, name, number)
            assert (heard.status, heard.answer) == ("NOERROR", records), (name, rrtype, transport)
            assert {"qr", "aa"} <= heard.flags
            assert set(heard.ttls) == {300}


@pytest.mark.parametrize("client", CLIENTS)
def test_chains_wildcards_and_negative_answers_are_served(main: Address, client: Client) -> None:
    """A CNAME is followed, a DNAME renames, a wildcard matches; NODATA and NXDOMAIN come with the SOA."""
    soa = frozenset({("lab.test.", "SOA", "ns.lab.test. admin.lab.test. 1 3600 600 86400 60")})
    www = {("www.lab.test.", "A", "192.0.2.1"), ("www.lab.test.", "A", "192.0.2.2")}
    for transport in UDP_AND_TCP[client]:
        alias = client(main, *transport, "alias.lab.test", "A")
        assert alias.answer == {("alias.lab.test.", "CNAME", "www.lab.test."), *www}
        renamed = client(main, *transport, "a.tree.lab.test", "A")
        assert renamed.answer == {
            ("tree.lab.test.", "DNAME", "other.lab.test."),
            ("a.tree.lab.test.", "CNAME", "a.other.lab.test."),
            ("a.other.lab.test.", "A", "192.0.2.5"),
        }
        assert client(main, *transport, "x.wild.lab.test", "A").answer == {("x.wild.lab.test.", "A", "192.0.2.4")}
        assert client(main, *transport, "www.lab.test", "MX").told == ("NOERROR", frozenset(), soa)
        assert client(main, *transport, "nothing.lab.test", "A").told == ("NXDOMAIN", frozenset(), soa)


def test_the_case_of_the_question_comes_back(main: Address) -> None:
    """In the question section, so that a client that mixes the case on purpose knows the answer for its own."""
    heard = dig(main, "wWw.LAb.tEst", "+qr", "+question")
    assert heard.text.count(";wWw.LAb.tEst.") == 2
    assert len(heard.answer) == 2


@pytest.mark.parametrize(
    ("client", "once"),
    [
        pytest.param(dig, ("+ignore",), id="dig"),
        pytest.param(kdig, ("+ignore",), id="kdig"),
        pytest.param(drill, ("-u",), id="drill"),
    ],
)
def test_what_is_too_large_for_a_datagram_comes_by_tcp(main: Address, client: Client, once: tuple[str, ...]) -> None:
    """The datagram is truncated with TC and holds nothing of the answer; the client comes again and gets all."""
    cut = client(main, *once, "large.lab.test", "TXT")
    assert "tc" in cut.flags
    assert cut.answer == frozenset()
    again = ("-t",) if client is drill else ()
    whole = client(main, *again, "large.lab.test", "TXT")
    assert "tc" not in whole.flags
    ((_, _, rdata),) = whole.answer
    assert rdata == " ".join(f'"{number:03}{"x" * 200}"' for number in range(12))


@pytest.mark.parametrize(
    ("options", "truncated", "most"),
    [
        (("+noedns",), True, 512),
        (("+bufsize=0",), True, 512),
        (("+bufsize=512",), True, 512),
        (("+bufsize=800",), True, 800),
        (("+bufsize=1232",), False, 1232),
        (("+bufsize=4096",), False, 1232),
    ],
)
def test_a_datagram_is_as_large_as_the_client_takes(
    main: Address, options: tuple[str, ...], truncated: bool, most: int
) -> None:
    """What the client says it takes counts, from 512 bytes to 1232; without EDNS it is 512."""
    heard = dig(main, "middle.lab.test", "TXT", "+ignore", "+notcp", *options)
    assert ("tc" in heard.flags) == truncated
    assert size(heard) <= most
    assert bool(heard.answer) != truncated
    assert "tc" in dig(main, "large.lab.test", "TXT", "+ignore", "+notcp", *options).flags


def test_without_recursion_desired_only_what_is_known_is_told(lab: Daemon, main: Address) -> None:
    """`+norecurse` gets what is here, with no RD in the answer, and no parent is asked for the rest."""
    known = dig(main, "www.lab.test", "+norecurse")
    assert known.flags == {"qr", "aa"}
    child = lab.address("resolver child")
    unknown = dig(child, "norecurse.lab.test", "+norecurse")
    assert (unknown.status, unknown.flags) == ("REFUSED", {"qr", "ra"})
    assert (
        "EDE: 20 (Not Authoritative): (The client does not ask for recursion, so no parent is asked.)" in unknown.text
    )
    assert dig(child, "recurse.lab.test").status == "SERVFAIL"
    assert "recurse.lab.test A is not resolved: nobody listens" in lab.log
    assert "norecurse.lab.test A is not resolved" not in lab.log


def test_unknown_names_are_refused_where_there_is_no_parent(main: Address) -> None:
    """REFUSED, without RA, and why."""
    heard = dig(main, "www.example.com")
    assert (heard.status, heard.flags) == ("REFUSED", {"qr", "rd"})
    assert "EDE: 20 (Not Authoritative)" in heard.text


@pytest.mark.parametrize(
    "options",
    [
        ("+ednsopt=65001:0102",),
        ("+subnet=192.0.2.0/24",),
        ("+ednsopt=12:00000000",),
        ("+expire",),
        ("+ednsflags=0x4fff",),
        ("+zflag",),
        ("+cdflag", "+adflag"),
        ("+dnssec",),
        ("+edns=0", "+nsid", "+expire", "+subnet=0", "+ednsopt=100", "+cookie"),
    ],
)
def test_options_and_flags_that_mean_nothing_here_do_no_harm(main: Address, options: tuple[str, ...]) -> None:
    """The answer comes all the same, in EDNS version 0; DO comes back, unknown options and flags do not."""
    for transport in ("+notcp", "+tcp"):
        heard = dig(main, "www.lab.test", transport, *options)
        assert (heard.status, len(heard.answer)) == ("NOERROR", 2)
        flags = "do" if "+dnssec" in options else ""
        assert re.search(rf"^; EDNS: version: 0, flags:\s*{flags}; udp: 1232$", heard.text, re.MULTILINE), heard.text
        assert not re.search(r"CLIENT-SUBNET|OPT=|EXPIRE|PAD|MBZ", heard.text), heard.text


def test_a_client_without_edns_gets_none(main: Address) -> None:
    """No OPT record comes where none was sent."""
    heard = dig(main, "www.lab.test", "+noedns")
    assert (heard.status, len(heard.answer)) == ("NOERROR", 2)
    assert "OPT PSEUDOSECTION" not in heard.text


def test_an_unknown_version_of_edns_gets_badvers(main: Address) -> None:
    """And in it version 0, which dig then takes by itself."""
    heard = dig(main, "www.lab.test", "+edns=1", "+noednsnegotiation")
    assert (heard.status, heard.answer) == ("BADVERS", frozenset())
    assert "; EDNS: version: 0, " in heard.text
    assert len(dig(main, "www.lab.test", "+edns=1").answer) == 2


def test_a_client_knows_the_server_again_by_its_cookie(main: Address) -> None:
    """dig finds its own cookie in the answer and calls it good; the server's half is taken back, or made anew."""
    first = dig(main, "www.lab.test", "+cookie=0102030405060708")
    found = re.search(r"^; COOKIE: (0102030405060708[0-9a-f]{32}) \(good\)$", first.text, re.MULTILINE)
    assert found, first.text
    for cookie in (found[1], "0102030405060708" + "00" * 16):
        heard = dig(main, "www.lab.test", f"+cookie={cookie}")
        assert (heard.status, len(heard.answer)) == ("NOERROR", 2)
        assert re.search(r"^; COOKIE: 0102030405060708[0-9a-f]{32} \(good\)$", heard.text, re.MULTILINE)
    assert "WARNING" not in kdig(main, "www.lab.test", "+cookie").text
    assert "COOKIE" not in dig(main, "www.lab.test", "+nocookie").text


def test_the_server_says_its_name_to_who_asks(lab: Daemon, main: Address) -> None:
    """NSID, where one is configured."""
    assert '; NSID: 6c 61 62 2d 31 ("lab-1")' in dig(main, "www.lab.test", "+nsid").text
    assert '"lab-1"' in kdig(main, "www.lab.test", "+nsid").text
    assert "NSID" not in dig(main, "www.lab.test", "+nonsid").text
    assert "NSID" not in dig(lab.address("resolver curt"), "www.lab.test", "+nsid").text


def test_a_tcp_client_learns_how_long_it_may_be_idle(main: Address) -> None:
    """As `tcp_idle` says; by UDP there is nothing to keep."""
    assert "; TCP KEEPALIVE: 7.5 secs" in dig(main, "www.lab.test", "+tcp", "+keepalive").text
    assert "KEEPALIVE" not in dig(main, "www.lab.test", "+notcp", "+keepalive").text


def test_extended_errors_say_where_an_answer_comes_from(lab: Daemon, main: Address) -> None:
    """All clients show it; `explain = false` keeps it in."""
    assert "; EDE: 0 (Other): (from the file)" in dig(main, "www.lab.test").text
    assert ";; EDE: 0 (Other): 'from the file'" in kdig(main, "www.lab.test", "+edns").text
    assert "; EDE: 0 (Other)" in drill(main, "-D", "www.lab.test", "A").text
    assert "EDE" not in dig(lab.address("resolver curt"), "www.lab.test").text


def test_an_address_that_is_none_is_said_to_be_none(main: Address) -> None:
    """The course protocol serves the transcript's own record; DNS says that the name is there, and what is wrong."""
    heard = dig(main, "www.biu.ac.il")
    assert (heard.status, heard.answer) == ("NOERROR", frozenset())
    assert "EDE: 24 (Invalid Data): (the address of the record is no IPv4 address: '21.09.1992.8')" in heard.text
    assert b'"21.09.1992.8"' in resolve(main, "www.biu.ac.il")


def test_any_is_answered_with_one_rrset(main: Address) -> None:
    """Not with all that the name has, which is what others send it for."""
    for client, options in ((dig, ("+notcp",)), (dig, ("+tcp",)), (kdig, ("+notcp",)), (drill, ("-u",))):
        heard = client(main, *options, "www.lab.test", "ANY")
        assert heard.status == "NOERROR"
        assert {rrtype for _, rrtype, _ in heard.answer} == {"A"}


@pytest.mark.parametrize("rrtype", ["AXFR", "IXFR=1", "TYPE253", "TYPE254"])
def test_transfers_are_refused(main: Address, rrtype: str) -> None:
    """AXFR, IXFR, and the old MAILB and MAILA; not a record is shown."""
    told = printed("kdig", "knot-dnsutils", "@127.0.0.1", "-p", str(main[1]), "lab.test", rrtype)
    assert "REFUSED" in told
    assert "192.0.2." not in told
    assert "admin.lab.test" not in told
    if rrtype == "AXFR":
        told = printed("dig", "bind9-dnsutils", "@127.0.0.1", "-p", str(main[1]), "lab.test", rrtype)
        assert "; Transfer failed." in told
    assert dig(main, "lab.test", "SOA").status == "NOERROR"


def test_updates_are_refused(main: Address) -> None:
    """nsupdate is told so, and nothing changes."""
    commands = f"server 127.0.0.1 {main[1]}\nzone lab.test\nupdate add new.lab.test 60 A 192.0.2.9\nsend\n"
    for options in ((), ("-v",)):
        assert printed("nsupdate", "bind9-dnsutils", *options, asks=commands) == "update failed: REFUSED\n"
    assert dig(main, "new.lab.test").status == "NXDOMAIN"


@pytest.mark.parametrize("opcode", ["IQUERY", "STATUS", "NOTIFY", "DSO"])
def test_other_opcodes_are_not_implemented(main: Address, opcode: str) -> None:
    """NOTIMP, with the opcode in it; whatever there is of a question."""
    number = {"IQUERY": "1", "STATUS": "2", "NOTIFY": "4", "DSO": "6"}[opcode]
    heard = dig(main, "lab.test", "SOA", f"+opcode={number}")
    assert (heard.status, heard.answer) == ("NOTIMP", frozenset())


@pytest.mark.parametrize("client", CLIENTS)
def test_other_classes_are_refused(main: Address, client: Client) -> None:
    """CHAOS above all: who asks for the version gets none; nor do the names here have anything in that class."""
    for name, rrtype in (("version.bind", "TXT"), ("mail.lab.test", "TXT")):
        heard = client(main, name, rrtype, "CH")
        assert (heard.status, heard.answer) == ("REFUSED", frozenset())


@pytest.mark.parametrize("client", CLIENTS)
def test_addresses_lead_back_to_names(main: Address, client: Client) -> None:
    """`-x` finds the names of the zone file's, the course file's and the hosts file's addresses."""
    for address, name in (
        ("192.0.2.1", "www.lab.test."),
        ("2001:db8::1", "www.lab.test."),
        ("1.2.3.4", "www.google.co.il."),
        ("192.0.2.77", "printer.home.arpa."),
        ("2001:db8::77", "printer.home.arpa."),
        ("127.0.0.1", "localhost."),
    ):
        heard = client(main, "-x", address)
        assert {(rrtype, rdata) for _, rrtype, rdata in heard.answer} >= {("PTR", name)}, heard.text


def test_both_protocols_share_one_port(main: Address) -> None:
    """What one file says, a client of the course and dig are told alike."""
    for name, address in (
        ("www.google.co.il", "1.2.3.4"),
        ("mail.lab.test", "192.0.2.3"),
        ("alias.lab.test", "192.0.2.1"),
        ("x.wild.lab.test", "192.0.2.4"),
        ("printer.home.arpa", "192.0.2.77"),
    ):
        assert address in {rdata for _, rrtype, rdata in dig(main, name).answer if rrtype == "A"}
        assert f'["{name}", "{address}", '.encode() in resolve(main, name)
    assert resolve(main, "nothing.lab.test") == b"[]"
    assert resolve(main, "localhost").startswith(b'["localhost", "127.0.0.1"')


def test_one_connection_serves_several_questions(main: Address) -> None:
    """kdig keeps its TCP connection open and gets each answer."""
    asked = ("mail.lab.test", "A", "x.wild.lab.test", "A", "printer.home.arpa", "AAAA")
    options = ("@127.0.0.1", "-p", str(main[1]), "+tcp", "+keepopen", "+short")
    told = printed("kdig", "knot-dnsutils", *options, *asked)
    assert told.split() == ["192.0.2.3", "192.0.2.4", "2001:db8::77"]
