// tree: the servers of a name space that has every name of three labels and more, as etc/tree has a few: a root at
// 127.0.1.1, the top-level domains at 127.0.1.2, and a zone below each of their names at 127.0.1.3. They refer a question
// to the next of them; the last has an address for every name. A name "ns" at the top of a zone is its server.
// The root answers for the name "count" with an address that is the number of questions that all of them were asked,
// without those for it.
// usage: tree port
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define SERVERS 3
#define MOST_LABELS 64
#define TTL "\0\0\x0e\x10"

enum { A = 1, NS = 2, SOA = 6 };

static unsigned asked;

static unsigned char *record(unsigned char *to, int owner, int type) {
    unsigned char head[] = {0xc0 | owner >> 8, owner, 0, type, 0, 1};
    to = mempcpy(to, head, sizeof head);
    return mempcpy(to, TTL, 4);
}

static unsigned char *address(unsigned char *to, int owner, unsigned value) {
    unsigned network = htonl(value);
    to = mempcpy(record(to, owner, A), "\0\4", 2);
    return mempcpy(to, &network, 4);
}

static unsigned host(int server) { return 0x7f000101 + server; }

// The server "ns" of the zone whose name stands at `zone`, and its address behind it, where `server` is.
static unsigned char *served(unsigned char *reply, unsigned char *to, int zone, int server) {
    unsigned char name[] = {0, 5, 2, 'n', 's', 0xc0 | zone >> 8, zone};
    to = mempcpy(record(to, zone, NS), name, sizeof name);
    return address(to, to - reply - 5, host(server));
}

static int is_called(const unsigned char *label, const char *name) {
    return label[0] == strlen(name) && !strncasecmp((const char *)label + 1, name, label[0]);
}

// Makes the reply of `server` from the query that it begins with; gives its length, 0 for what is no question.
static int answer(unsigned char *reply, int length, int server) {
    int at = 12, labels = 0, starts[MOST_LABELS + 1];
    for (; at < length && reply[at]; at += reply[at] + 1) {
        if (labels == MOST_LABELS || reply[at] > 63)
            return 0;
        starts[labels++] = at;
    }
    starts[labels] = at;
    if (at + 5 > length || reply[2] & 0x80)
        return 0;
    int type = reply[at + 2], edns = reply[11], top = labels > server ? starts[labels - server] : 12;
    unsigned char *to = reply + at + 5, counts[3] = {0, 0, 0};
    int is_server = labels == server + 1 && is_called(reply + 12, "ns");
    reply[2] |= 0x84;
    reply[3] = 0;
    if (server == 0 && labels == 1 && is_called(reply + 12, "count")) {
        to = address(to, 12, --asked);
        counts[0] = 1;
    } else if (type == NS && labels <= server) {
        to = served(reply, to, 12, server);
        counts[0] = counts[2] = 1;
    } else if (labels > server && !is_server && server < SERVERS - 1) {
        to = served(reply, to, starts[labels - server - 1], server + 1);
        counts[1] = counts[2] = 1;
        reply[2] &= ~4;
    } else if (type == A && labels > server) {
        to = address(to, 12, is_server ? host(server) : 0x0a000001);
        counts[0] = 1;
    } else {
        to = mempcpy(record(to, top, SOA), "\0\x16\0\0\0\0\0\1\0\0\x0e\x10\0\0\2\x58\0\1\x51\x80\0\0\0\x3c", 24);
        counts[1] = 1;
    }
    memset(reply + 6, 0, 6);
    for (int i = 0; i < 3; i++)
        reply[7 + 2 * i] = counts[i];
    if (edns) {
        reply[11]++;
        to = mempcpy(to, "\0\0\x29\4\xd0\0\0\0\0\0\0", 11);
    }
    return to - reply;
}

int main(int count, char **arguments) {
    struct pollfd ready[SERVERS];
    static unsigned char bytes[4096];
    if (count != 2)
        return 2;
    for (int i = 0, size = 4 << 20; i < SERVERS; i++) {
        struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[1]))};
        here.sin_addr.s_addr = htonl(host(i));
        ready[i] = (struct pollfd){socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), POLLIN, 0};
        setsockopt(ready[i].fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
        if (bind(ready[i].fd, (void *)&here, sizeof here))
            return 1;
    }
    for (;;) {
        poll(ready, SERVERS, -1);
        for (int i = 0; i < SERVERS; i++) {
            struct sockaddr_in client;
            socklen_t size = sizeof client;
            int length = ready[i].revents ? recvfrom(ready[i].fd, bytes, 1024, 0, (void *)&client, &size) : 0;
            if (length < 17)
                continue;
            asked++;
            if ((length = answer(bytes, length, i)))
                sendto(ready[i].fd, bytes, length, 0, (void *)&client, size);
        }
    }
}
