"""Signed messages, against dnspython's own reading and writing of them."""

from __future__ import annotations

import time
from typing import Final

import dns.message
import dns.rcode
import dns.tsig
from twisted.trial.unittest import SynchronousTestCase

from labnet.wire.dns_request import Refusal, decode_query
from labnet.wire.dns_response import Options, encode_refusal
from labnet.wire.tsig import FUDGE, MOST_UNSIGNED, Keyring, Opened, SignatureError, Signer, Verifier
from labnet.wire.types import Rcode

NOW: Final = 1_700_000_000
SECRET: Final = b"a secret of the lab's"
KEYRING: Final = Keyring({"Key.Lab": ("hmac-sha256", SECRET), "short": ("hmac-sha256-128", SECRET)})
KEY: Final = KEYRING.key("key.lab")


def refusal_of(message: bytes) -> Refusal:
    """What a signed question is refused with by who knows no key."""
    try:
        decode_query(message)
    except Refusal as refusal:
        return refusal
    raise AssertionError("it is not signed")


def query(key: dns.tsig.Key = KEY, now: float = NOW) -> tuple[bytes, bytes]:
    """A question, and it when it is signed."""
    bare = dns.message.make_query("www.lab", "A", id=4711, use_edns=0).to_wire()
    return bare, Signer(key).sign(bare, now)


def opened(signed: bytes, now: float = NOW) -> Opened:
    """The signed question, opened by who knows the keys."""
    found = KEYRING.open(signed, refusal_of(signed), now)
    assert found is not None
    return found


class QueryTests(SynchronousTestCase):
    """What a server makes of a signed question."""

    def test_question_is_what_it_was_before_it_was_signed(self) -> None:
        """The signature is taken off, and the key's name is known, in small letters."""
        for name in ("key.lab", "short"):
            bare, signed = query(KEYRING.key(name))
            found = opened(signed)
            self.assertEqual((found.message, found.key, found.refusal), (bare, name, None))

    def test_id_that_was_changed_on_the_way_is_that_of_the_signature(self) -> None:
        """A forwarder may give the message another id (RFC 8945, section 5.3.2)."""
        bare, signed = query()
        self.assertEqual(opened(b"\1\2" + signed[2:]).message, bare)

    def test_question_of_dnspython_is_opened_and_it_reads_the_answer(self) -> None:
        """Another implementation signs and checks the same."""
        asked = dns.message.make_query("www.lab", "A")
        asked.use_tsig({KEY.name: KEY})
        wire = asked.to_wire()
        found = opened(wire, time.time())
        assert found.signer is not None
        reply = dns.message.make_response(dns.message.from_wire(found.message)).to_wire()
        checked = dns.message.from_wire(found.signer.sign(reply, time.time()), {KEY.name: KEY}, request_mac=asked.mac)
        self.assertTrue(checked.had_tsig)
        with self.assertRaises(dns.tsig.BadSignature):
            dns.message.from_wire(found.signer.sign(reply, time.time()), {KEY.name: KEY}, request_mac=b"other")

    def test_wrong_signature_is_badsig_and_not_signed(self) -> None:
        """Neither the key is proven nor is anything signed by it (RFC 8945, section 5.2.2)."""
        other = Keyring({"key.lab": ("hmac-sha256", b"another secret")}).key("key.lab")
        _, signed = query(other)
        found = opened(signed)
        assert found.refusal is not None
        reply = dns.message.from_wire(encode_refusal(found.refusal, False, Options()), keyring=False)
        self.assertEqual((found.key, found.signer), ("", None))
        self.assertEqual((found.refusal.rcode, reply.tsig_error), (Rcode.NOTAUTH, dns.rcode.BADSIG))

    def test_time_too_far_off_is_badtime_signed_with_both_times(self) -> None:
        """The client's time is in the signature, the server's beside it (RFC 8945, section 5.2.3)."""
        for skew in (FUDGE + 1, -FUDGE - 1):
            _, signed = query()
            found = opened(signed, NOW + skew)
            assert found.refusal is not None
            assert found.signer is not None
            self.assertEqual((found.key, found.refusal.rcode), ("", Rcode.NOTAUTH))
            wire = found.signer.sign(encode_refusal(found.refusal, False, Options()), 0)
            reply = dns.message.from_wire(wire, keyring=False)
            assert reply.tsig is not None
            (tsig,) = reply.tsig
            self.assertEqual((tsig.error, tsig.time_signed), (dns.rcode.BADTIME, NOW))
            self.assertEqual(int.from_bytes(tsig.other, "big"), NOW + skew)
            self.assertTrue(tsig.mac)
        _, signed = query()
        self.assertEqual(opened(signed, NOW + FUDGE).refusal, None)

    def test_what_is_not_signed_by_a_known_key_is_left_as_it_was(self) -> None:
        """An unknown key, a key with another algorithm, no signature, half a message."""
        others = Keyring({"other": ("hmac-sha256", SECRET), "key.lab": ("hmac-sha512", SECRET)})
        for name in ("other", "key.lab"):
            _, signed = query(others.key(name))
            self.assertIsNone(KEYRING.open(signed, refusal_of(signed), NOW))
        bare, signed = query()
        refusal = refusal_of(signed)
        for length in range(len(signed)):
            self.assertIsNone(KEYRING.open(signed[:length], refusal, NOW), length)
        self.assertIsNone(KEYRING.open(bare, refusal, NOW))


class TransferTests(SynchronousTestCase):
    """Many messages that answer one question."""

    def setUp(self) -> None:
        _, signed = query()
        signer = opened(signed).signer
        assert signer is not None
        asking = Signer(KEY)
        asking.sign(query()[0], NOW)
        self.signer, self.verifier = signer, Verifier(KEY, asking.mac)
        self.bare = [dns.message.make_response(dns.message.make_query(f"n{n}.lab", "A")).to_wire() for n in range(3)]

    def test_each_message_is_checked_behind_the_one_before(self) -> None:
        """In their order they are right; one that is left out is missed (RFC 8945, section 5.3.1)."""
        signed = [self.signer.sign(bare, NOW, many=True) for bare in self.bare]
        self.assertEqual(self.verifier.open(signed[0], NOW), self.bare[0])
        with self.assertRaises(SignatureError):
            self.verifier.open(signed[2], NOW)

    def test_all_in_order_are_right(self) -> None:
        """So is a later time of signing."""
        for number, bare in enumerate(self.bare):
            now = NOW + 1000 * number
            self.assertEqual(self.verifier.open(self.signer.sign(bare, now, many=True), now), bare)

    def test_unsigned_messages_between_signed_ones_are_part_of_the_next_signature(self) -> None:
        """Some servers do not sign each; what is in them is checked with the next one that is."""
        for changed in (False, True):
            signer = Signer(KEY, self.verifier._request_mac)
            verifier = Verifier(KEY, self.verifier._request_mac)
            first = signer.sign(self.bare[0], NOW, many=True)
            context = signer._context
            assert isinstance(context, dns.tsig.HMACTSig)
            context.update(self.bare[1])
            last = signer.sign(self.bare[2], NOW, many=True)
            verifier.open(first, NOW)
            verifier.open(self.bare[0] if changed else self.bare[1], NOW)
            self.assertEqual(verifier.unsigned, 1)
            if changed:
                with self.assertRaises(SignatureError):
                    verifier.open(last, NOW)
            else:
                self.assertEqual(verifier.open(last, NOW), self.bare[2])
                self.assertEqual(verifier.unsigned, 0)

    def test_first_has_to_be_signed_and_then_at_least_each_hundredth(self) -> None:
        """Else there is no saying who sent it."""
        with self.assertRaises(SignatureError):
            self.verifier.open(self.bare[0], NOW)
        verifier = Verifier(KEY, self.verifier._request_mac)
        verifier.open(self.signer.sign(self.bare[0], NOW, many=True), NOW)
        for _ in range(MOST_UNSIGNED):
            verifier.open(self.bare[1], NOW)
        with self.assertRaises(SignatureError):
            verifier.open(self.bare[1], NOW)

    def test_answer_that_says_what_is_wrong_with_the_signature_is_told(self) -> None:
        """The error of the other side, or that it signed by another key, in words."""
        _, signed = query()
        refusal = refusal_of(signed)
        with self.assertRaisesRegex(SignatureError, "know the key"):
            self.verifier.open(encode_refusal(refusal, False, Options()), NOW)
        with self.assertRaisesRegex(SignatureError, "read"):
            self.verifier.open(b"\0" * 11, NOW)
        with self.assertRaises(SignatureError):
            self.verifier.open(Signer(KEYRING.key("short")).sign(self.bare[0], NOW), NOW)
