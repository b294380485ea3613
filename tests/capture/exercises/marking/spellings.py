"""Ways in which students spell right and wrong answers: exercise, question, verdict, and the spellings."""

from __future__ import annotations

# The captures are those of tests.capture.samples: ping (10.0.0.1 -> 10.0.0.2, TTL 64), the ARP pair, a DHCP Offer, an
# HTTP request through a router, the four-packet trace.
SPELLINGS: list[tuple[str, str, str, list[object]]] = [
    ("ip", "source", "right", [
        "10.0.0.1", " 10.0.0.1 ", "10.0.0.1.", "source: 10.0.0.1", "Source Address: 10.0.0.1", "10.0.0.1 (10.0.0.1)",
        "the source is 10.0.0.1", "IP 10.0.0.1", "10.0.0.1/24", "10.0.0.1 (client)", "src=10.0.0.1", "[10.0.0.1]",
        "10.0.0.1, not 10.0.0.2", "'10.0.0.1'", "my own machine, 10.0.0.1",
    ]),
    ("ip", "source", "wrong", ["10.0.0.2", "127.0.0.1", "192.168.1.1", "source: 10.0.0.2", "10.0.0.11", "10.0.0.10"]),
    ("ip", "source", "teacher", ["my computer", "10.0.0.1 or 10.0.0.2", "localhost", "ten dot zero"]),
    ("ip", "destination", "right", ["10.0.0.2", "Destination: 10.0.0.2", "dst 10.0.0.2", "10.0.0.2 (the server)"]),
    ("ip", "destination", "wrong", ["10.0.0.1", "8.8.8.8", "255.255.255.255"]),
    ("ip", "protocol", "right", [
        "ICMP", "icmp", "ICMP (1)", "1", "0x01", "Internet Control Message Protocol",
        "Internet Control Message Protocol (1)", "Protocol: ICMP (1)", "ICMP, number 1", "ICMP, not TCP",
        "it is ICMP and not UDP", "ICMP (0x01)", "Icmp echo request", "the ICMP protocol", "protocol 1",
        "not TCP but ICMP", "1 = ICMP", "1 (ICMP)",
    ]),
    ("ip", "protocol", "wrong", [
        "TCP", "TCP (1)", "UDP", "UDP (17)", "TCP (6)", "6", 17, "ICMP (6)", "ICMPv6", "ICMP over UDP",
        "Transmission Control Protocol", "ICMP or TCP", "IGMP", "58",
    ]),
    ("ip", "protocol", "teacher", ["ping", "echo", "the upper one", "network layer"]),
    ("ip", "header_length", "right", [
        "20", "20 bytes", "20 bytes (5)", "20 Bytes", "20 octets", "0x14", "5 words", "5 32-bit words", "5 * 4 = 20",
        "5 x 4 = 20", "5 \u00d7 4 = 20 bytes", "160 bits", "Header Length: 20 bytes (5)", "20B", "20 b", "4 * 5",
        "5*4", "twenty", "twenty bytes", "five words", "20 bytes (5 words)", "20 bytes (0101)", "20 bytes (160 bits)",
        "header length is 20", "IHL 5, so 5 * 4 = 20", "(20)", "20 bytes, not 5",
        "0101 .... = Header Length: 20 bytes (5)",
    ]),
    ("ip", "header_length", "wrong", [
        "5", "5 bytes", "24", "40", "20 words", "60 bytes", "20 bits", "4 words", "0x20", "5 * 5 = 25", "8",
        "24 bytes (6)", "14 bytes",
    ]),
    ("ip", "header_length", "teacher", ["short", "as usual", "the minimum", "20 or 24", "unknown"]),
    ("ip", "payload_length", "right", [
        "16", "16 bytes", "36 - 20 = 16", "36-20=16", "36 - 20", "total 36 - header 20 = 16", "0x10", "16 octets",
        "16 (36 - 20)", "36 \u2212 20 = 16 bytes", "payload: 16", "4 words", "16 bytes, not 36", "128 bits",
        "sixteen", "it has 16 bytes",
    ]),
    ("ip", "payload_length", "wrong", [
        "36", "36 bytes", "20", "8", "0", "36 - 8 = 28", "56", "-16", "not 16 but 36",
    ]),
    ("ip", "payload_length", "teacher", ["8 + 8 bytes of data, 16", "all the rest", "?"]),
    ("ip", "ttl", "right", [
        "64", "TTL: 64", "Time to Live: 64", "64 hops", "0x40", "ttl=64", "64 routers", "64 (0x40)", "TTL is 64",
        "Time To Live 64", "64.",
    ]),
    ("ip", "ttl", "wrong", ["63", 128, "255", "32", "128 hops", "TTL 63", "0x64", "640"]),
    ("ip", "ttl", "teacher", ["64 seconds", "the default", "long"]),
    ("ip", "ttl_meaning", "right", [
        "hops", "number of hops left", "how many routers it may pass", "the maximum number of hops",
        "it is not seconds but hops", "each router decrements it by one", "it counts routers, not seconds",
        "The number of routers a packet can cross before it is dropped", "hop limit", "max hops",
        "a hop counter: every router takes one off", "not a time in seconds: a number of hops",
        "number of routers it can visit before being discarded", "The packet is thrown away after so many hops.",
        "counts hops and isn't measured in seconds", "limits hops so packets don't circle forever",
        "how many hops it can make", "Each router lowers it; at 0 the packet dies",
    ]),
    ("ip", "ttl_meaning", "wrong", [
        "seconds", "seconds to live", "the time in seconds that the packet lives",
        "how many seconds until it expires", "the length of the packet", "number of bytes", "time in milliseconds",
        "not hops", "it is in seconds, not hops", "minutes left",
    ]),
    ("ip", "ttl_meaning", "teacher", [
        "time to live", "how long it lives", "it is a field", "hops or seconds", "the shop closes", "chopped",
        "lifetime of the packet", "it tells when to drop the packet",
    ]),
    ("ip", "version_field", "right", [
        "version", "Version", "the version field", "IP version", "the first four bits", "first 4 bits of the header",
        "the high nibble of the first byte", "Version: 4", "version (4 bits)", "version, not the header length",
        "the version number", "the top 4 bits",
    ]),
    ("ip", "version_field", "wrong", [
        "header length", "TTL", "the total length", "flags", "source address", "the next header field",
        "not the version", "EtherType", "identification", "checksum",
    ]),
    ("ip", "version_field", "teacher", ["protocol", "the first field", "byte 0", "inversion", "subversion tool"]),
    ("arp", "ethertype", "right", [
        "0x0806", "0806", "08 06", "0x806", 0x806, "ARP", "ARP (0x0806)", "arp", "Type: ARP (0x0806)", "0x0806 (ARP)",
        "Address Resolution Protocol", "Address Resolution Protocol (0x0806)", "ARP, not IPv4",
        "0x0806, which is ARP", "it is ARP and not IP", "not 0x0800 but 0x0806", "ARP 0x0806", "0X0806",
    ]),
    ("arp", "ethertype", "wrong", [
        "0x0800", "0800", "08 00", "IPv4", "IPv4 (0x0806)", "IP", "0x86dd", "IPv6", "ARP (0x0800)", "2048", "TCP",
        "0x0806 TCP", "Internet Protocol version 4", "0x0806 (IPv4)", "IP (0x0800)", "not ARP but IPv4", "UDP 0x0806",
        "0x0608",
    ]),
    ("arp", "ethertype", "teacher", ["broadcast", "harp", "two bytes", "the type"]),
    ("arp", "broadcast_mac", "right", [
        "ff:ff:ff:ff:ff:ff", "FF:FF:FF:FF:FF:FF", "ff-ff-ff-ff-ff-ff", "ffff.ffff.ffff", "ffffffffffff",
        "ff ff ff ff ff ff", "Broadcast (ff:ff:ff:ff:ff:ff)", "Broadcast", "the broadcast address", "0xffffffffffff",
        "all ones", "all F's", "Destination: Broadcast (ff:ff:ff:ff:ff:ff)", "all-ones",
        "ff:ff:ff:ff:ff:ff (everybody)", "ff:ff:ff:ff:ff:ff, not 00:00:00:00:00:00",
    ]),
    ("arp", "broadcast_mac", "wrong", [
        "00:00:00:00:00:00", "02:00:00:00:00:01", "02-00-00-00-00-02", "ff:ff:ff:ff:ff:fe", "01:00:5e:00:00:fb",
        "fe:fe:fe:fe:fe:fe",
    ]),
    ("arp", "broadcast_mac", "teacher", ["ff:ff", "everyone", "255.255.255.255", "not broadcast", "all", "f"]),
    ("arp", "asked_address", "right", ["10.0.0.2", "who has 10.0.0.2?", "Target IP address: 10.0.0.2", "10.0.0.2's"]),
    ("arp", "asked_address", "wrong", ["10.0.0.1", "10.0.0.254", "0.0.0.0"]),
    ("arp", "reply_ip", "right", ["10.0.0.2", "Sender IP address: 10.0.0.2", "10.0.0.2 is at 02:00:00:00:00:02"]),
    ("arp", "reply_ip", "wrong", ["10.0.0.1", "10.0.0.3"]),
    ("arp", "reply_mac", "right", [
        "02:00:00:00:00:02", "02-00-00-00-00-02", "0200.0000.0002", "020000000002", "2:0:0:0:0:2",
        "02 00 00 00 00 02", "02:00:00_00:00:02 (02:00:00:00:00:02)", "Sender MAC address: 02:00:00:00:00:02",
        "Vendor_00:00:02 (02:00:00:00:00:02)", "PcsCompu_00:00:02 (02:00:00:00:00:02)",
        "10.0.0.2 is at 02:00:00:00:00:02", "[02:00:00:00:00:02]", "02:00:00:00:00:02 not 02:00:00:00:00:01",
    ]),
    ("arp", "reply_mac", "wrong", [
        "02:00:00:00:00:01", "ff:ff:ff:ff:ff:ff", "Broadcast", "02:00:00:00:00:20", "2:0:0:0:0:20",
        "00:00:00:00:00:00", "Vendor_00:00:01 (02:00:00:00:00:01)",
    ]),
    ("arp", "reply_mac", "teacher", [
        "Vendor_00:00:02", "Vendor_00:00:01 (02:00:00:00:00:02)", "02:00:00:00:00", "the server's",
        "02:00:00:00:00:01 or 02:00:00:00:00:02",
    ]),
    ("dhcp", "transport", "right", [
        "UDP", "udp", "UDP (17)", "17", "User Datagram Protocol", "UDP, not TCP", "0x11",
        "User Datagram Protocol (17)", "it uses UDP", "UDP because it is connectionless", "not TCP, it is UDP",
    ]),
    ("dhcp", "transport", "wrong", [
        "TCP", "TCP (17)", "6", "UDP (6)", "ICMP", "TCP and UDP", "Transmission Control Protocol",
    ]),
    ("dhcp", "transport", "teacher", ["datagrams", "BOOTP", "DHCP", "IP"]),
    ("dhcp", "client_port", "right", [
        "68", "68 (bootpc)", "port 68", "UDP port 68", "bootpc (68)", "0x44", "68/udp",
    ]),
    ("dhcp", "client_port", "wrong", ["67", "67 (bootps)", "port 67", "546", "53"]),
    ("dhcp", "client_port", "teacher", ["bootpc", "67 and 68", "67 or 68", "a random one"]),
    ("dhcp", "server_port", "right", ["67", "67 (bootps)", "bootps (67)", "UDP 67", "67, not 68"]),
    ("dhcp", "server_port", "wrong", ["68", "68 (bootpc)", "547"]),
    ("dhcp", "why_not_tcp", "right", [
        "because it must broadcast", "the client has no IP address yet", "TCP needs a connection",
        "UDP does not need a connection", "UDP needs no handshake", "TCP requires a handshake between two addresses",
        "the client does not know the server, so it broadcasts", "no address yet, so no TCP connection is possible",
        "it sends to 255.255.255.255", "because UDP is connectionless",
        "without an IP address there is no TCP handshake", "TCP cannot broadcast", "the source address is 0.0.0.0",
        "a TCP connection can't be set up without an address",
    ]),
    ("dhcp", "why_not_tcp", "wrong", [
        "UDP is faster", "for speed", "because UDP is encrypted", "UDP is more reliable",
    ]),
    ("dhcp", "why_not_tcp", "teacher", [
        "because of the RFC", "it is simpler", "UDP is faster and needs no connection", "the protocol says so",
    ]),
    ("dhcp", "server_identifier", "right", ["10.0.0.254", "DHCP Server Identifier: 10.0.0.254", "(54) 10.0.0.254"]),
    ("dhcp", "server_identifier", "wrong", ["10.0.0.9", "10.0.0.53", "255.255.255.0"]),
    ("dhcp", "subnet_mask", "right", [
        "255.255.255.0", "/24", "24 bits", "Subnet Mask: 255.255.255.0", "0xffffff00", "ff ff ff 00", "ff:ff:ff:00",
        "255.255.255.0 (/24)", "mask 255.255.255.0",
    ]),
    ("dhcp", "subnet_mask", "wrong", ["255.255.0.0", "/16", "255.255.255.255", "10.0.0.0", "/32", "0xffff0000"]),
    ("dhcp", "subnet_mask", "teacher", ["class C", "the usual one"]),
    ("dhcp", "router", "right", ["10.0.0.254", "Router: 10.0.0.254", ["10.0.0.254"], "the gateway 10.0.0.254"]),
    ("dhcp", "router", "wrong", ["10.0.0.1", "10.0.0.9", ["10.0.0.254", "10.0.0.1"]]),
    ("dhcp", "dns_servers", "right", [
        ["10.0.0.53", "10.0.0.54"], ["10.0.0.54", "10.0.0.53"], "10.0.0.53, 10.0.0.54", "10.0.0.53 and 10.0.0.54",
        "10.0.0.53; 10.0.0.54", "(10.0.0.53, 10.0.0.54)", "[10.0.0.53, 10.0.0.54]", "{10.0.0.53 10.0.0.54}",
        "10.0.0.53\n10.0.0.54", "Domain Name Server: 10.0.0.53, Domain Name Server: 10.0.0.54", "10.0.0.54 10.0.0.53",
        "first 10.0.0.53, then 10.0.0.54", "10.0.0.53 & 10.0.0.54", "<10.0.0.53><10.0.0.54>",
    ]),
    ("dhcp", "dns_servers", "wrong", [
        "10.0.0.53", ["10.0.0.54"], "10.0.0.53, 10.0.0.55", "10.0.0.53, 10.0.0.54, 8.8.8.8", "8.8.8.8",
        "10.0.0.53 not 10.0.0.54",
    ]),
    ("dhcp", "dns_servers", "teacher", ["two of them", "the router", "none"]),
    ("http", "source_mac", "right", [
        "02:00:00:00:00:01", "Vendor_00:00:01 (02:00:00:00:00:01)", "02-00-00-00-00-01",
    ]),
    ("http", "source_mac", "wrong", ["02:00:00:00:00:02", "ff:ff:ff:ff:ff:ff"]),
    ("http", "ethertype", "right", [
        "0x0800", "0800", "08 00", "0x800", 0x800, "IPv4", "IPv4 (0x0800)", "IP", "Type: IPv4 (0x0800)",
        "0x0800 (IPv4)", "Internet Protocol version 4", "Internet Protocol (0x0800)", "IPv4, not TCP",
        "0x0800, IPv4 and not TCP", "IPv4 (not ARP)", "not TCP: IPv4", "0x0800 IP",
    ]),
    ("http", "ethertype", "wrong", [
        "0x0800 (Transmission Control Protocol)", "TCP", "0x0800 (TCP)", "IPv4 TCP", "0x0800 (IPv4, TCP)", "HTTP",
        "0x0806", "ARP", "0x86dd", "IPv6", "IPv4 (0x0806)", "0x0800: TCP", "HTTP (0x0800)", "IPv6 (0x0800)",
    ]),
    ("http", "destination_mac_owner", "right", [
        "the router", "router", "the router's", "the default gateway", "gateway", "the next hop", "first hop router",
        "my home router, not the web server", "not the web server's but the router's", "the router (_gateway)",
        "the gateway's MAC address", "it is the router's interface", "not the server: the router", "the access point",
    ]),
    ("http", "destination_mac_owner", "wrong", [
        "the web server", "the server's", "server", "not the router", "the website", "the web server, not the router",
        "the client", "my own computer", "webserver",
    ]),
    ("http", "destination_mac_owner", "teacher", [
        "the destination", "the router or the server", "somebody else's", "observer", "the ISP", "a switch",
    ]),
    ("trace", "packet1.data", "right", [
        "www.google.co.il", "\"www.google.co.il\"", "'www.google.co.il'", "www.google.co.il\\n",
        "www.google.co.il (16 bytes)", "Data: www.google.co.il", "7777772e676f6f676c652e636f2e696c",
        "77 77 77 2e 67 6f 6f 67 6c 65 2e 63 6f 2e 69 6c", "77:77:77:2e:67:6f:6f:67:6c:65:2e:63:6f:2e:69:6c",
        "0x7777772e676f6f676c652e636f2e696c", "name: www.google.co.il", " www.google.co.il ",
    ]),
    ("trace", "packet1.data", "wrong", [
        "www.google.com", "google.co.il", "www.biu.ac.il", "7777", "16 bytes", "21.09.1992.8",
    ]),
    ("trace", "packet1.source_port", "right", ["54699", "port 54699", "Source Port: 54699", "54,699", "0xd5ab"]),
    ("trace", "packet1.source_port", "wrong", ["1199", "42460", "54698", "1200"]),
    ("trace", "packet2.destination_port", "right", ["1200", "1200 (scol)", "port 1200"]),
    ("trace", "packet2.destination_port", "wrong", ["1199", "53", "42460"]),
    ("trace", "packet3.source", "right", ["10.0.0.3", "10.0.0.3 (the parent)", "the parent, 10.0.0.3"]),
    ("trace", "packet3.source", "wrong", ["10.0.0.2", "10.0.0.1", "127.0.0.1"]),
    ("trace", "packet4.destination_mac", "right", ["02:00:00:00:00:01", "2:0:0:0:0:1", "02-00-00-00-00-01"]),
    ("trace", "packet4.destination_mac", "wrong", ["02:00:00:00:00:03", "02:00:00:00:00:02"]),
]  # fmt: skip
