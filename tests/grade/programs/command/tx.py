import sys
import time

from twisted.internet import protocol, reactor
from twisted.protocols.policies import TimeoutMixin

waiting = []
served = []


class Command(protocol.Protocol, TimeoutMixin):
    def connectionMade(self):
        self.transport.pauseProducing()
        waiting.append(self)
        following()

    def begin(self):
        peer = self.transport.getPeer()
        self.transport.write(f"Connected: your IP address is {peer.host} and your port is {peer.port}\n".encode())
        self.setTimeout(15)
        self.transport.resumeProducing()

    def dataReceived(self, data):
        self.resetTimeout()
        if data.strip() == b"TIME":
            self.transport.write(time.ctime().encode() + b"\n")
        elif data.strip() == b"EXIT":
            port.stopListening()
            for one in (*served, *waiting):
                one.transport.abortConnection() if one is not self else one.transport.loseConnection()
            reactor.callLater(0.1, reactor.stop)
        else:
            self.transport.write(b"Invalid command!\n")

    def connectionLost(self, reason):
        self.setTimeout(None)
        (served if self in served else waiting).remove(self)
        following()


def following():
    if waiting and not served:
        served.append(waiting.pop(0))
        served[0].begin()


port = reactor.listenTCP(int(sys.argv[1]), protocol.Factory.forProtocol(Command))
reactor.run()
