/* What the non-blocking servers share: connections, and what the two listener requests do. */
#ifndef LOOP_H
#define LOOP_H
#include "contract.h"

/* The event loop's own part. */
static void watch_listener(void);
static void forget_listener(void);

static int non_blocking_accept(void) {
    return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* For listening again, also where the system chose the port. */
static void remember_address(void) {
    own_length = sizeof own_address;
    getsockname(listener, (struct sockaddr *)&own_address, &own_length);
}

/* Reads and serves until there is no more. -1: close the connection. */
static int serve_ready(struct conn *conn) {
    for (;;) {
        int got = fill(conn), served;
        if (got <= 0) return got;
        do {
            switch (serve_buffered(conn, &served)) {
            case KEEP:
                break;
            case CLOSE:
                return -1;
            case CLOSE_LISTENER:
                send_response(conn->fd, 200, "closed\n", 7);
                if (listener < 0) break;
                remember_address();
                forget_listener();
                close(listener);
                listener = -1;
                break;
            case LISTEN_AGAIN:
                start_listening(SOCK_NONBLOCK);
                watch_listener();
                send_response(conn->fd, 200, "listening\n", 10);
                break;
            }
        } while (served);
    }
}

static void end_connection(struct conn *conn) {
    close(conn->fd);
    free(conn->data);
    free(conn);
}

static struct conn *new_connection(int fd) {
    struct conn *conn = calloc(1, sizeof *conn);
    if (!conn) die("calloc");
    conn->fd = fd;
    return conn;
}
#endif
