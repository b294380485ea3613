"""Questions of both protocols, and what becomes of them on a bad day: cut, flipped, looped, miscounted, made up."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from random import Random

HEADER = struct.Struct("!HHHHHH")
RESPONSE = 0x8000
RECURSION_DESIRED = 0x0100

_TYPES = (1, 1, 1, 1, 1, 1, 2, 5, 6, 12, 15, 16, 28, 28, 33, 35, 39, 43, 46, 48, 64, 65, 97, 255, 257, 0, 41, 65535)
_TRANSFERS = (249, 250, 251, 252, 253, 254)
_LONGEST_DATAGRAM = 9000


def wire_of(name: str) -> bytes:
    """The wire form of a plain name."""
    return b"".join([bytes((len(label),)) + label for label in name.encode().split(b".") if label]) + b"\0"


def question(id: int, name: bytes, rrtype: int = 1, flags: int = RECURSION_DESIRED, rest: bytes = b"") -> bytes:
    """A DNS query for ``name`` (wire form), with ``rest`` (an OPT record, or nothing) behind it."""
    return HEADER.pack(id, flags, 1, 0, 0, bool(rest)) + name + struct.pack("!HH", rrtype, 1) + rest


def is_owed_a_reply(message: bytes) -> bool:
    """Whether a server has to answer: there is an id to answer by, and it is no response itself."""
    return len(message) >= HEADER.size and not message[2] & 0x80


class Owed:
    """Messages that are still to be answered, each with an id of its own: every reply has to be to one of them."""

    def __init__(self) -> None:
        self._next = 0
        self._asked: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        return len(self._asked)

    def __repr__(self) -> str:
        return f"{len(self)} messages ({', '.join(message.hex() for message in list(self._asked.values())[:10])})"

    def numbered(self, message: bytes) -> bytes:
        """``message`` with an id of its own, to be sent now; one without an id stays as it is."""
        if len(message) < HEADER.size:
            return message
        self._next = (self._next + 1) & 0xFFFF
        id = struct.pack("!H", self._next)
        assert id not in self._asked, "no id is left"
        message = id + message[2:]
        if is_owed_a_reply(message):
            self._asked[id] = message
        return message

    def answered(self, reply: bytes) -> None:
        """``reply`` came: a response, with the id of a message and its very question, if with any."""
        assert len(reply) >= HEADER.size, reply
        message = self._asked.pop(reply[:2], b"")
        assert message, f"{reply.hex()} has the id of no message, or of one that was answered"
        assert reply[2] & 0x80, f"{reply.hex()} to {message.hex()} is no response"
        repeated = _question_in(reply)
        assert message[HEADER.size :].startswith(repeated), f"{reply.hex()} is no reply to {message.hex()}"


def _question_in(reply: bytes) -> bytes:
    """The question that a response repeats: name, type and class; nothing where it repeats none."""
    if reply[4:6] == b"\0\0":
        return b""
    end = HEADER.size
    while reply[end]:
        end += 1 + reply[end]
    return reply[HEADER.size : end + 5]


class Packets:
    """An endless number of messages for a server that knows ``names``; ``random`` decides, and nothing else."""

    def __init__(self, random: Random, names: Sequence[str]) -> None:
        self._random = random
        self._names = names
        self._wires = [wire_of(name) for name in names]
        self._datagrams: list[tuple[Callable[[], bytes], int]] = [
            (self._sound, 45),
            (self._flipped, 12),
            (self._cut, 8),
            (self._spliced, 8),
            (self._miscounted, 8),
            (self._looped, 6),
            (self._any_opcode, 5),
            (self._odd_options, 8),
            (self._response, 5),
            (self._junk, 8),
            (self._course, 12),
        ]

    def datagram(self) -> bytes:
        """One datagram of either protocol."""
        kinds, weights = zip(*self._datagrams, strict=True)
        made: bytes = self._random.choices(kinds, weights)[0]()
        return made[:_LONGEST_DATAGRAM]

    def message(self) -> bytes:
        """One message of DNS for a TCP connection; at times it is none."""
        kinds, weights = zip(*self._datagrams[:-1], strict=True)
        made: bytes = self._random.choices(kinds, weights)[0]()
        return made[:65535]

    def owed_message(self) -> bytes:
        """One message of DNS that has to be answered."""
        while not is_owed_a_reply(message := self.message()):
            pass
        return message

    def _name(self) -> bytes:
        random = self._random
        wire = random.choice(self._wires)
        chance = random.random()
        if chance < 0.1:
            label = b"x%d" % random.randrange(3000)
            wire = bytes((len(label),)) + label + wire
        elif chance < 0.15:
            label = random.randbytes(random.randint(1, 63))
            wire = bytes((len(label),)) + label + wire
        elif chance < 0.16:
            while len(wire) < 256:
                label = random.randbytes(random.randint(30, 63))
                wire = bytes((len(label),)) + label + wire
        elif chance < 0.3:
            wire = bytes([byte ^ 32 if 65 <= byte & 223 <= 90 and random.random() < 0.5 else byte for byte in wire])
        return wire if len(wire) <= 255 or random.random() < 0.1 else random.choice(self._wires)

    def _opt(self) -> bytes:
        random = self._random
        options = []
        for _ in range(random.choice((0, 0, 0, 1, 1, 2, 5))):
            code = random.choice((3, 8, 10, 10, 11, 12, 15, random.randrange(65536)))
            value = random.randbytes(random.choice((0, 0, 8, 8, 24, 16, 3, 40, 41)))
            options.append(struct.pack("!HH", code, len(value)) + value)
        rdata = b"".join(options)
        payload = random.choice((0, 512, 1232, 1232, 4096, 65535))
        flags = random.choice((0, 0x8000))
        return b"\0" + struct.pack("!HHIH", 41, payload, flags, len(rdata)) + rdata

    def _sound(self) -> bytes:
        random = self._random
        rest = self._opt() if random.random() < 0.6 else b""
        rrtype = random.choice(_TRANSFERS if random.random() < 0.02 else _TYPES)
        flags = random.choice((0x0100, 0x0100, 0x0100, 0x0000, 0x0110, 0x0120))
        return question(random.getrandbits(16), self._name(), rrtype, flags, rest)

    def _flipped(self) -> bytes:
        message = bytearray(self._sound())
        for _ in range(self._random.choice((1, 1, 2, 3, 8))):
            message[self._random.randrange(len(message))] ^= 1 << self._random.randrange(8)
        return bytes(message)

    def _cut(self) -> bytes:
        message = self._sound()
        return message[: self._random.randrange(len(message))]

    def _spliced(self) -> bytes:
        """A stretch left out, said twice, or put in from another message or from nowhere."""
        random = self._random
        message, other = self._sound(), self._sound()
        start, end = sorted(random.choices(range(len(message) + 1), k=2))
        put = random.choice((b"", message[start:end] * 2, other[start:], random.randbytes(random.randrange(40))))
        return message[:start] + put + message[end:]

    def _miscounted(self) -> bytes:
        random = self._random
        counts = [random.choice((0, 0, 1, 2, 255, 65535, random.randrange(65536))) for _ in range(4)]
        message = self._sound()
        return message[:4] + struct.pack("!HHHH", *counts) + message[12:]

    def _looped(self) -> bytes:
        """Names made of compression pointers: to themselves, to each other, forward, into the header, far outside."""
        random = self._random
        targets = (0, 11, 12, 13, 14, 16, random.randrange(64), random.randrange(0x4000))
        pointers = b"".join([struct.pack("!H", 0xC000 | random.choice(targets)) for _ in range(random.randint(1, 6))])
        labels = b"\x01a" * random.choice((0, 0, 1, 3, 130))
        head = HEADER.pack(random.getrandbits(16), 0x0100, 1, random.choice((0, 1, 2)), 0, random.choice((0, 1)))
        record = random.choice((b"", pointers[:2] + struct.pack("!HHIH", 5, 1, 60, 2) + pointers[-2:]))
        return head + labels + pointers + struct.pack("!HH", 1, 1) + record

    def _any_opcode(self) -> bytes:
        random = self._random
        flags = random.randrange(16) << 11 | random.choice((0, 0x0100, random.getrandbits(11)))
        return question(random.getrandbits(16), self._name(), random.choice(_TYPES), flags, self._opt())

    def _odd_options(self) -> bytes:
        """EDNS of the wrong version, with options cut short, twice, or in the wrong section."""
        random = self._random
        rdata = random.randbytes(random.choice((0, 1, 3, 4, 12, 60)))
        length = random.choice((len(rdata), len(rdata), 0, 65535))
        opt = b"\0" + struct.pack("!HHIH", 41, random.getrandbits(16), random.getrandbits(32), length) + rdata
        message = question(random.getrandbits(16), self._name(), 1, 0x0100, random.choice((opt, opt + opt, opt + b"x")))
        counts = random.choice(((1, 0, 0, 1), (1, 0, 0, 2), (1, 1, 0, 0), (1, 0, 1, 0), (0, 0, 0, 1)))
        return message[:4] + struct.pack("!HHHH", *counts) + message[12:]

    def _response(self) -> bytes:
        """What a server sends: never to be answered, or two of them would talk for ever."""
        message = bytearray(self._random.choice((self._sound, self._spliced))())
        if len(message) > 2:
            message[2] |= 0x80
        return bytes(message)

    def _junk(self) -> bytes:
        random = self._random
        longest = random.choice((12, 64, 64, 512, 512, 1500)) if random.random() < 0.999 else _LONGEST_DATAGRAM
        return random.randbytes(random.randrange(longest))

    def _course(self) -> bytes:
        """A name of the course protocol, or what cannot be one; not a NUL byte in it."""
        random = self._random
        name = random.choice(self._names)
        made: bytes = random.choice(
            (
                name.encode(),
                name.swapcase().encode() + random.choice((b"\n", b"\r\n", b".", b" ")),
                b"x%d.%s" % (random.randrange(3000), name.encode()),
                random.choice((b"[]", b'["a", "1.2.3.4"]', b"a,1.2.3.4,60", b",", b"[", b"#", b"# x", b"..", b".")),
                b"y" * random.randrange(300),
                "".join([chr(random.choice((45, 97, 233, 0x5D0, 0x202E, 0x1F600))) for _ in range(9)]).encode(),
                random.randbytes(random.randrange(80)).replace(b"\0", b"z"),
            )
        )
        return made
