/* The server of the bench that costs least: one process, epoll, every accept loop runs until the queue is empty, and
 * the answer says who gave it. It keeps a connection unless the request says `Connection: close`. With ONE=1 in the environment it
 * accepts one connection each time it is told that there are some, as libuv does. */
#define _GNU_SOURCE
#include "shared.h"
#include <errno.h>
#include <sys/epoll.h>

#define MAX_FDS 16384
#define MAX_REQUEST 1024

static struct conn {
    unsigned length;
    char request[MAX_REQUEST];
} conns[MAX_FDS];

static void accept_some(int ep, int listener, int one) {
    do {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED) continue;
            return;
        }
        if (fd >= MAX_FDS) {
            close(fd);
            continue;
        }
        conns[fd].length = 0;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event) < 0) close(fd);
    } while (!one);
}

/* Reads once; 1 while the connection is to be kept. */
static int serve(int fd) {
    struct conn *conn = &conns[fd];
    ssize_t got = read(fd, conn->request + conn->length, MAX_REQUEST - 1 - conn->length);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return 0;
    conn->length += (unsigned)got;
    conn->request[conn->length] = 0;
    if (!strstr(conn->request, "\r\n\r\n")) return conn->length < MAX_REQUEST - 1;
    int keep_alive = !strstr(conn->request, "Connection: close");
    char out[256];
    int length = answer(out, sizeof out, keep_alive);
    conn->length = 0;
    return write(fd, out, (size_t)length) == length && keep_alive;
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    int listener = listen_and_fork(argc, argv, SOCK_NONBLOCK);
    const char *wish = getenv("ONE");
    int one = wish && atoi(wish);
    int ep = epoll_create1(EPOLL_CLOEXEC);
    if (ep < 0) die("epoll_create1");
    /* Exclusive: as servers that share a socket ask for it, one process is woken for one connection. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = listener};
    if (epoll_ctl(ep, EPOLL_CTL_ADD, listener, &event) < 0) die("epoll_ctl");
    struct epoll_event events[256];
    for (;;) {
        int ready = epoll_wait(ep, events, 256, -1);
        if (ready < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                accept_some(ep, listener, one);
            else if (!serve(fd))
                close(fd);
        }
    }
}
