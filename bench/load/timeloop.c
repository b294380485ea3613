// timeloop: the limit of what a command server can do with one thread: epoll, a greeting, a line with the time for each
// line that comes. It knows no command, no limit and no time-out.
// usage: timeloop port
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char greeting[] = "welcome\r\n";

static void welcome(int listening, int poller) {
    int yes = 1, fd;
    while ((fd = accept4(listening, 0, 0, SOCK_NONBLOCK)) >= 0) {
        struct epoll_event readable = {.events = EPOLLIN, .data.fd = fd};
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        send(fd, greeting, sizeof greeting - 1, MSG_NOSIGNAL);
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &readable);
    }
}

static void answer(int fd) {
    static char out[1 << 17];
    char in[4096], line[64], *at = in;
    size_t length = 0, more;
    ssize_t came = recv(fd, in, sizeof in, 0);
    if (came <= 0) {
        close(fd);
        return;
    }
    time_t seconds = time(0);
    more = strftime(line, sizeof line, "%Y-%m-%d %H:%M:%S\r\n", localtime(&seconds));
    for (; (at = memchr(at, '\n', in + came - at)); at++, length += more)
        memcpy(out + length, line, more);
    send(fd, out, length, MSG_NOSIGNAL);
}

int main(int count, char **arguments) {
    if (count != 2)
        return 2;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[1]))};
    struct epoll_event events[256], readable = {.events = EPOLLIN};
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poller = epoll_create1(0), yes = 1;
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    inet_pton(AF_INET, "127.0.0.1", &here.sin_addr);
    if (bind(listening, (void *)&here, sizeof here) || listen(listening, 511))
        return 1;
    readable.data.fd = listening;
    epoll_ctl(poller, EPOLL_CTL_ADD, listening, &readable);
    for (;;) {
        int came = epoll_wait(poller, events, 256, -1);
        for (int i = 0; i < came; i++)
            events[i].data.fd == listening ? welcome(listening, poller) : answer(events[i].data.fd);
    }
}
