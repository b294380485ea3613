// connload: a connection each: connect, read the greeting, send one request, read the reply, close.
// usage: connload port concurrency seconds request [lines=1] [welcome=0] [rate=0]
// `request` is a line of text, whose reply has `lines` after `welcome` lines; or @FILE: questions of DNS, "NAME TYPE" a
// line, that are asked in turn. So many connections are there at a time, from 59 addresses of the loopback network, for
// each of those has only some 28,000 ports and keeps each for a minute. With a rate, in connections a second, each begins
// when it is due: latencies count from then to the whole reply.
#define _GNU_SOURCE
#include "latency.h"
#include "question.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ADDRESSES 59
#define NAMES 1000000

typedef struct connection {
    int fd, welcome, lines; // lines: those that are awaited
    int length;             // of DNS: what has been read
    double began;
    unsigned char reply[1024];
    struct connection *next;
} connection;

static connection *idle;
static question *questions;
static const char *request;
static int port, poller, names, lines, welcome;
static long answered, lost, bad;

static void send_request(connection *asking) {
    static int next;
    unsigned char segment[160];
    int length;
    if (questions) {
        question *asked = &questions[next++ % names];
        segment[0] = 0;
        segment[1] = length = asked->length;
        memcpy(segment + 2, asked->bytes, length);
        length += 2;
    } else
        length = snprintf((char *)segment, sizeof segment, "%s\r\n", request);
    if (send(asking->fd, segment, length, MSG_NOSIGNAL) != length)
        lost++;
}

static void begin(double began) {
    static unsigned turn;
    struct sockaddr_in here = {.sin_family = AF_INET}, server = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct epoll_event readable = {.events = EPOLLIN, .data.ptr = idle};
    connection *made = idle;
    int yes = 1;
    idle = made->next;
    *made = (connection){.welcome = welcome, .lines = lines, .began = began};
    here.sin_addr.s_addr = htonl(0x7f000002 + turn++ % ADDRESSES);
    inet_pton(AF_INET, "127.0.0.1", &server.sin_addr);
    made->fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(made->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    setsockopt(made->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (bind(made->fd, (void *)&here, sizeof here) || connect(made->fd, (void *)&server, sizeof server)) {
        perror("connload");
        exit(1);
    }
    epoll_ctl(poller, EPOLL_CTL_ADD, made->fd, &readable);
    if (!welcome)
        send_request(made);
}

static void end(connection *over) {
    close(over->fd);
    over->next = idle;
    idle = over;
}

// Whether the reply is whole with what has just come; asks once the greeting is.
static int is_whole(connection *asking, int came) {
    if (questions) {
        unsigned char *reply = asking->reply;
        asking->length += came;
        if (asking->length < 2 || asking->length < (reply[0] << 8 | reply[1]) + 2)
            return 0;
        bad += asking->length < 14 || !(reply[4] & 0x80) || reply[5] & 15 || reply[9] != 1;
        return 1;
    }
    int greeted = asking->welcome;
    for (unsigned char *at = asking->reply; (at = memchr(at, '\n', asking->reply + came - at)); at++)
        asking->welcome ? asking->welcome-- : asking->lines--;
    if (greeted && !asking->welcome)
        send_request(asking);
    return asking->lines <= 0;
}

static void take(connection *asking) {
    int came = recv(asking->fd, asking->reply + asking->length, sizeof asking->reply - asking->length, MSG_DONTWAIT);
    if (came < 0 && errno == EAGAIN)
        return;
    if (came <= 0)
        lost++;
    else if (!is_whole(asking, came))
        return;
    else {
        answered++;
        saw_latency((now() - asking->began) * 1e6);
    }
    end(asking);
}

int main(int count, char **arguments) {
    if (count < 5) {
        fprintf(stderr, "usage: connload port concurrency seconds request [lines] [welcome] [rate]\n");
        return 2;
    }
    port = atoi(arguments[1]);
    request = arguments[4];
    lines = count > 5 ? atoi(arguments[5]) : 1;
    welcome = count > 6 ? atoi(arguments[6]) : 0;
    double rate = count > 7 ? atof(arguments[7]) : 0;
    if (request[0] == '@' && !(questions = read_questions(request + 1, NAMES, 0, &names)))
        return 2;
    poller = epoll_create1(0);
    for (int i = atoi(arguments[2]); i > 0; i--) {
        connection *made = calloc(1, sizeof *made);
        made->next = idle;
        idle = made;
    }
    struct epoll_event events[256];
    double start = now(), until = start + atof(arguments[3]), time;
    long due = 0;
    while ((time = now()) < until) {
        while (idle && (!rate || due < (time - start) * rate))
            begin(rate ? start + due++ / rate : now());
        int came = epoll_wait(poller, events, 256, rate ? 0 : 20);
        for (int i = 0; i < came; i++)
            take(events[i].data.ptr);
        if (!came)
            sched_yield();
    }
    printf("{\"qps\":%.0f,\"answered\":%ld,\"lost\":%ld,\"bad\":%ld,\"p50_us\":%u,\"p99_us\":%u}\n",
           answered / (now() - start), answered, lost, bad, percentile(0.5), percentile(0.99));
}
