"""The exercises on the real captures that lie beside the checkout."""

from __future__ import annotations

import pytest

from labnet.capture.exercises.marking.verdicts import mark
from labnet.capture.exercises.run import Done, run
from tests.capture import samples

RIGHT = {
    ("ip", "icmp-ping"): {
        "source": "10.0.0.1",
        "destination": "74.125.225.99",
        "protocol": "ICMP (1)",
        "header_length": "20",
        "payload_length": "64",
        "ttl": "64",
        "version_field": "version",
    },
    ("dhcp", "dhcp"): {
        "transport": "UDP",
        "client_port": "68",
        "server_port": "67",
        "server_identifier": "128.2.6.152",
        "subnet_mask": "255.255.255.0",
        "router": "128.2.6.1",
        "dns_servers": "128.2.1.11, 128.2.1.10",
    },
    ("arp", "arp"): {
        "ethertype": "ARP (0x0806)",
        "broadcast_mac": "ff:ff:ff:ff:ff:ff",
        "asked_address": "192.150.187.14",
        "reply_ip": "192.150.187.14",
        "reply_mac": "00:60:08:af:81:03",
    },
    ("http", "get"): {
        "source_mac": "c8:bc:c8:96:d2:a0",
        "destination_mac": "00:10:db:88:d2:ef",
        "destination_mac_owner": "the router's",
        "ethertype": "IPv4 (0x0800)",
    },
}

PUBLISHED = {("arp", "arp"): "0x0800", ("http", "get"): "0x0800 (IPv4, TCP)"}
"""The published answers about the EtherType that are wrong."""


def done(exercise: str, name: str) -> Done:
    return run(exercise, samples.exercise_capture(name), lambda read: None)


@pytest.mark.parametrize(("exercise", "name"), RIGHT)
def test_every_question_is_answered_from_a_real_capture(exercise: str, name: str) -> None:
    """With the bytes of the frame that prove it."""
    answers = {answer.key: answer for answer in done(exercise, name).answers}
    for key, value in RIGHT[exercise, name].items():
        assert answers[key].value == value
    assert all(answer.value is not None and answer.proofs for answer in answers.values())


@pytest.mark.parametrize(("exercise", "name"), PUBLISHED)
def test_the_published_answers_that_are_wrong_are_marked_wrong(exercise: str, name: str) -> None:
    """And the right ones right."""
    answers = done(exercise, name).answers
    marks = {one.key: one for one in mark(answers, {"ethertype": PUBLISHED[exercise, name]})}
    assert marks["ethertype"].verdict == "wrong"
    assert marks["ethertype"].proofs
    assert {one.verdict for one in mark(answers, RIGHT[exercise, name])} == {"right"}
