#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
    int welcome = socket(AF_INET, SOCK_STREAM, 0), yes = 1, running = 1;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[argc - 1]))};
    setsockopt(welcome, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(welcome, (struct sockaddr *)&here, sizeof here) || listen(welcome, 5)) return 1;
    while (running) {
        struct sockaddr_in there;
        socklen_t length = sizeof there;
        int client = accept(welcome, (struct sockaddr *)&there, &length);
        struct timeval patience = {15, 0};
        char text[1100];
        ssize_t got;
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        snprintf(text, sizeof text, "Connected: your IP address is %s and your port is %d\n",
                 inet_ntoa(there.sin_addr), ntohs(there.sin_port));
        write(client, text, strlen(text));
        while ((got = read(client, text, 1024)) > 0) {
            while (got > 0 && strchr(" \r\n", text[got - 1])) got--;
            text[got] = 0;
            if (!strcmp(text, "EXIT")) {
                running = 0;
                break;
            }
            if (!strcmp(text, "TIME")) {
                time_t now = time(NULL);
                strcpy(text, ctime(&now));
            } else {
                strcpy(text, "Invalid command!\n");
            }
            write(client, text, strlen(text));
        }
        close(client);
    }
    close(welcome);
    return 0;
}
