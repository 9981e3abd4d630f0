/* A server that serves one connection at a time and blocks meanwhile: `GET /N` sleeps N milliseconds, then answers.
 * It stands for work that waits (a database, a disk), so that what is measured is who got the connection and not how
 * the processor was shared. */
#define _GNU_SOURCE
#include "shared.h"
#include <errno.h>
#include <time.h>

static void serve(int fd) {
    char request[1024];
    size_t length = 0;
    request[0] = 0;
    while (!strstr(request, "\r\n\r\n")) {
        ssize_t got = read(fd, request + length, sizeof request - 1 - length);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return;
        length += (size_t)got;
        request[length] = 0;
    }
    long work = strncmp(request, "GET /", 5) == 0 ? atol(request + 5) : 0;
    struct timespec left = {.tv_sec = work / 1000, .tv_nsec = work % 1000 * 1000000};
    while (nanosleep(&left, &left) < 0 && errno == EINTR) {
    }
    char out[256];
    int size = answer(out, sizeof out, 0);
    if (write(fd, out, (size_t)size) != size) perror("write");
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    int listener = listen_on(argc, argv, 0);
    fork_workers();
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) continue;
        serve(fd);
        close(fd);
    }
}
