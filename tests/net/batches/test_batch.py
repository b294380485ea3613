"""Tests for :mod:`labnet.net.batches.batch`: what is received by the batch is what was sent, and is told apart."""

from __future__ import annotations

import socket
from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.net.batches.batch import (
    BATCH,
    HEAD,
    MOST,
    Incoming,
    Outgoing,
    key_of,
    question_of,
    vector_of,
)
from labnet.net.kernel.sockaddr import address_in, host_of
from tests.net.sockaddr import put

LENGTHS = (0, 1, 2, HEAD - 1, HEAD, HEAD + 1, HEAD + 4, 300)
DATAGRAMS = st.one_of(
    st.sampled_from(LENGTHS).flatmap(lambda length: st.binary(min_size=length, max_size=length)),
    st.sampled_from(LENGTHS).map(bytes),
    st.sampled_from(LENGTHS).map(lambda length: b"a" * length),
)


class Loopback:
    """A socket that receives by the batch, and one beside it that is connected to it."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket, self.client = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
        self.socket.bind((host, 0))
        self.client.bind((host, 0))
        self.client.connect(self.socket.getsockname())
        self.client.setblocking(False)
        self.is_ipv6 = family == socket.AF_INET6
        self.incoming = Incoming(self.socket.fileno(), self.is_ipv6)

    def close(self) -> None:
        self.socket.close()
        self.client.close()

    def bring(self, *datagrams: bytes) -> list[bytes]:
        """Send ``datagrams``; those that come out of the batch."""
        for datagram in datagrams:
            self.client.send(datagram)
        return [self.incoming.datagram(slot) for slot in range(self.incoming.receive())]

    def replies(self, count: int) -> list[bytes]:
        """The next replies, which are there."""
        return [self.client.recv(100) for _ in range(count)]


class DatagramTests(SynchronousTestCase):
    def test_every_length(self) -> None:
        """None is cut, none is filled up; of what is longer than any question only the beginning is kept."""
        loopback = self.enterContext(closing(Loopback()))
        sent = [bytes(number % 251 + 1 for number in range(length)) for length in (*LENGTHS, MOST - 1, MOST, 5000)]
        came = loopback.bring(*sent)
        self.assertEqual(came, [datagram[:4096] for datagram in sent])
        self.assertEqual([len(datagram) for datagram in came[-3:]], [4095, 4096, 4096])

    def test_nothing_of_the_batch_before_is_left(self) -> None:
        """In slots where longer ones were, and in those that were not used meanwhile."""
        loopback = self.enterContext(closing(Loopback()))
        first = [b"x" * length for length in (5000, HEAD + 1, HEAD, 20, 3, 77)]
        second = [b"y" * length for length in (0, HEAD, 1, 21)]
        third = [b"z" * length for length in (HEAD + 1, 300, 0, 3, 2, 1)]
        for batch in first, second, third:
            self.assertEqual(loopback.bring(*batch), [datagram[:4096] for datagram in batch])
            short = [slot for slot, datagram in enumerate(batch) if len(datagram) <= HEAD]
            for skipped in 0, 2:
                keys = loopback.incoming.keys(len(batch), skipped)
                self.assertEqual([keys[slot] for slot in short], [key_of(batch[slot], skipped) for slot in short])

    def test_more_than_a_batch_holds(self) -> None:
        """The rest comes with the next one; then there is nothing, which is no error."""
        loopback = self.enterContext(closing(Loopback()))
        sent = [b"%d" % number for number in range(BATCH + 3)]
        self.assertEqual(loopback.bring(*sent), sent[:BATCH])
        self.assertEqual(loopback.bring(), sent[BATCH:])
        self.assertEqual(loopback.bring(), [])
        self.assertEqual(loopback.bring(b"one more"), [b"one more"])

    def test_an_error_of_the_socket_is_no_batch(self) -> None:
        """Nothing has come then, whatever came before."""
        loopback = self.enterContext(closing(Loopback()))
        loopback.bring(b"one", b"two")
        loopback.socket.close()
        self.assertEqual(loopback.incoming.receive(), 0)

    def test_the_protocol_of_a_batch(self) -> None:
        """By what stands where a DNS message has the count of its questions, in the first datagram."""
        loopback = self.enterContext(closing(Loopback()))
        message = b"\0\1" + b"\1\0\0\1" + bytes(6) + b"\3www\0\0\1\0\1"
        for datagrams, is_dns in (((message, b"www.lab"), True), ((b"www.lab", message), False)):
            loopback.bring(*datagrams)
            self.assertEqual(loopback.incoming.is_dns, is_dns)


class KeyTests(SynchronousTestCase):
    @given(st.lists(st.lists(DATAGRAMS, min_size=1, max_size=12), min_size=1, max_size=4))
    def test_batches_of_any_datagrams(self, given_batches: list[list[bytes]]) -> None:
        """In the same slots one batch after the other: each is what was sent, and has a key that no other one has."""
        with closing(Loopback()) as loopback:
            for sent in given_batches:
                self.assertEqual(loopback.bring(*sent), sent)
                for skipped in 0, 2:
                    keys = loopback.incoming.keys(len(sent), skipped)
                    for key, datagram in zip(keys, sent, strict=True):
                        if len(datagram) <= HEAD:
                            self.assertEqual(key, key_of(datagram, skipped))
                        else:
                            others = (datagram, datagram[:HEAD], *sent)
                            self.assertNotIn(key, [key_of(other, skipped) for other in others])

    @given(DATAGRAMS, DATAGRAMS, st.sampled_from((0, 2)))
    def test_keys_are_of_one_question_each(self, one: bytes, other: bytes, skipped: int) -> None:
        """They are the same for what differs in the bytes that do not count alone."""
        is_same = one[skipped:] == other[skipped:] and len(one) == len(other)
        self.assertEqual(key_of(one, skipped) == key_of(other, skipped), is_same)

    @given(DATAGRAMS, st.integers(1, HEAD + 2), st.sampled_from((0, 2)))
    def test_zero_bytes_at_the_end_are_part_of_a_question(self, datagram: bytes, count: int, skipped: int) -> None:
        """What a key is filled up with is not taken for them."""
        self.assertNotEqual(key_of(datagram, skipped), key_of(datagram + bytes(count), skipped))

    def test_all_short_keys_are_of_one_length(self) -> None:
        """And a longer one's is longer, so that what is cut out of a batch never is one."""
        lengths = {len(key_of(bytes(length), skipped)) + skipped for length in range(HEAD + 1) for skipped in (0, 2)}
        self.assertEqual(len(lengths), 1)
        self.assertGreater(len(key_of(bytes(HEAD + 1), 0)), lengths.pop())

    @given(DATAGRAMS, st.sampled_from((0, 2)))
    def test_a_key_tells_its_question(self, datagram: bytes, skipped: int) -> None:
        """But for what does not count; a key that was cut out of a batch says that it lacks something."""
        if len(datagram) >= skipped:
            self.assertEqual(question_of(key_of(datagram, skipped), skipped), datagram[skipped:])
        with closing(Loopback()) as loopback:
            loopback.bring(datagram)
            (key,) = loopback.incoming.keys(1, skipped)
        if len(datagram) > HEAD:
            self.assertIsNone(question_of(key, skipped))

    def test_a_shorter_one_in_the_slot_of_a_longer(self) -> None:
        """Neither is found by the other's key, where one is the beginning of the other."""
        loopback = self.enterContext(closing(Loopback()))
        for length in (1, 20, HEAD - 1, HEAD, HEAD + 1):
            for before, after in ((b"q" * length, b"q" * (length + 1)), (b"q" * (length + 1), b"q" * length)):
                loopback.bring(before)
                loopback.bring(after)
                for skipped in 0, 2:
                    (key,) = loopback.incoming.keys(1, skipped)
                    self.assertNotEqual(key, key_of(before, skipped))
                    self.assertEqual(key == key_of(after, skipped), len(after) <= HEAD)


class SenderTests(SynchronousTestCase):
    """Who sent a batch, over both versions of IP."""

    def test_addresses(self) -> None:
        """In text with the port, as bytes to send to, and as what is compared."""
        for host in "127.0.0.1", "::1":
            loopback = self.enterContext(closing(Loopback(host)))
            loopback.bring(b"one", b"two")
            incoming, address = loopback.incoming, loopback.client.getsockname()[:2]
            self.assertEqual([incoming.address(slot) for slot in range(2)], [address] * 2)
            self.assertEqual(address_in(incoming.name(1)), address)
            self.assertEqual(incoming.sources(2), [incoming.source(0), incoming.source(1)])
            self.assertEqual([host_of(source) for source in incoming.sources(2)], [host] * 2)

    def test_a_batch_is_compared_with_the_most_recent_sender(self) -> None:
        """Nobody is, until it is said; then every one of the batch has to be."""
        hosts = {False: ("192.0.2.1", "192.0.2.2", "198.51.100.1"), True: ("2001:db8::1", "2001:db8::2", "2001:db9::1")}
        for is_ipv6, (recent, *others) in hosts.items():
            incoming = Incoming(-1, is_ipv6)
            for slot in range(BATCH):
                put(incoming, slot, recent)
            self.assertFalse(incoming.is_from_most_recent(BATCH))
            incoming.set_most_recent(incoming.source(0))
            self.assertTrue(incoming.is_from_most_recent(1))
            self.assertTrue(incoming.is_from_most_recent(BATCH))
            for other in others:
                put(incoming, BATCH - 1, other)
                self.assertFalse(incoming.is_from_most_recent(BATCH))
                self.assertTrue(incoming.is_from_most_recent(BATCH - 1))
                self.assertEqual(host_of(incoming.source(BATCH - 1)), other)
            incoming.set_most_recent(None)
            put(incoming, 0, "::" if is_ipv6 else "0.0.0.0")
            self.assertFalse(incoming.is_from_most_recent(1))

    def test_a_scope(self) -> None:
        """Is part of the address that is told, and none of what is compared."""
        incoming = Incoming(-1, True)
        put(incoming, 0, "fe80::1", 2)
        put(incoming, 1, "fe80::1", 3)
        self.assertEqual([incoming.address(slot) for slot in (0, 1)], [("fe80::1%2", 53), ("fe80::1%3", 53)])
        self.assertEqual(host_of(incoming.source(0)), host_of(incoming.source(1)))


class OutgoingTests(SynchronousTestCase):
    """Replies from where their bytes lie."""

    def test_some_and_all(self) -> None:
        """To some of the batch, in any order, to all of it, to the first; each with as much of its own as is said."""
        for host, echoed in (("127.0.0.1", 2), ("::1", 0)):
            loopback = self.enterContext(closing(Loopback(host)))
            out = Outgoing(loopback.incoming, echoed)
            sent = [b"%d%d." % (number, number) for number in range(5)]
            loopback.bring(*sent)
            replies = [b"r" * (number + 1) for number in range(5)]
            vectors = [vector_of(reply, self) for reply in replies]
            expected = [one[:echoed] + reply for one, reply in zip(sent, replies, strict=True)]
            for slots in (None, (3, 1), None, (4,), (0, 1, 2, 3, 4), None):
                chosen = range(5) if slots is None else slots
                out.reply_to([replies[slot] for slot in chosen], slots)
                self.assertEqual(loopback.replies(len(chosen)), [expected[slot] for slot in chosen])
                for _ in range(2):
                    out.reply_first(vectors[0])
                    self.assertEqual(loopback.replies(1), expected[:1])
                    out.reply(b"".join(vectors), 5)
                    self.assertEqual(loopback.replies(5), expected)
            self.assertEqual(out.unsent, 0)

    def test_each_to_who_asked(self) -> None:
        """Where the senders of a batch are several."""
        loopback = self.enterContext(closing(Loopback()))
        other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(other.close)
        other.setblocking(False)
        other.connect(loopback.socket.getsockname())
        out = Outgoing(loopback.incoming, 2)
        for client in loopback.client, other, loopback.client, other:
            client.send(b"id?")
        self.assertEqual(loopback.incoming.receive(), 4)
        replies = [b"0", b"1", b"2", b"3"]
        out.reply_to([replies[slot] for slot in (3, 1, 2)], (3, 1, 2))
        self.assertEqual(loopback.replies(1), [b"id2"])
        self.assertEqual([other.recv(100), other.recv(100)], [b"id3", b"id1"])
        out.reply(b"".join(vector_of(reply, self) for reply in replies), 4)
        self.assertEqual(loopback.replies(2), [b"id0", b"id2"])
        self.assertEqual([other.recv(100), other.recv(100)], [b"id1", b"id3"])

    def test_what_the_system_does_not_take(self) -> None:
        """Is counted: one that cannot be sent anywhere alone, all where there is no socket any more."""
        loopback = self.enterContext(closing(Loopback()))
        out = Outgoing(loopback.incoming, 0)
        loopback.bring(b"a", b"b", b"c")
        put(loopback.incoming, 1, "255.255.255.255")  # not without SO_BROADCAST
        out.reply_to([b"1", b"2", b"3"], None)
        self.assertEqual(loopback.replies(2), [b"1", b"3"])
        with self.assertRaises(BlockingIOError):
            loopback.replies(1)
        self.assertEqual(out.unsent, 1)
        loopback.socket.close()
        out.reply_to([b"1", b"2", b"3"], None)
        self.assertEqual(out.unsent, 4)
