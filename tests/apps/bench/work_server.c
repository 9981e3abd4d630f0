/* A server that serves one connection at a time and blocks meanwhile: `GET /N` sleeps N milliseconds, then answers.
 * It stands for work that waits (a database, a disk), so that what is measured is who got the connection and not how
 * the processor was shared. `GET /burn/N` uses up N milliseconds of processor time instead. */
#define _GNU_SOURCE
#include "shared.h"
#include <errno.h>
#include <time.h>

static void sleep_for(long ms) {
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&left, &left) < 0 && errno == EINTR) {
    }
}

static long used_us(void) {
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

static void burn(long ms) {
    long end = used_us() + ms * 1000;
    while (used_us() < end) {
        for (volatile int i = 0; i < 1000; i++) {
        }
    }
}

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
    if (strncmp(request, "GET /burn/", 10) == 0)
        burn(atol(request + 10));
    else if (strncmp(request, "GET /", 5) == 0)
        sleep_for(atol(request + 5));
    char out[256];
    int size = answer(out, sizeof out, 0);
    if (write(fd, out, (size_t)size) != size) perror("write");
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    int listener = listen_and_fork(argc, argv, 0);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) continue;
        serve(fd);
        close(fd);
    }
}
