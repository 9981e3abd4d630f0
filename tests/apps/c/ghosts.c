/* An epoll server that counts ghosts: events for a connection that it has closed. close() takes a connection out of
   every epoll, and programs rely on it: they free what the event points to. GET /ghosts answers the count. */
#include "contract.h"
#include <sys/epoll.h>

enum { LISTENER = 0, REMEMBERED = 1 << 20 };

static struct conn conns[REMEMBERED];
static unsigned next = 1, ghosts;

static void end(struct conn *conn) {
    close(conn->fd);
    free(conn->data);
    conn->data = NULL;
    conn->fd = -1;
}

static void serve(struct conn *conn) {
    int served = 1, got = fill(conn);
    if (got < 0) return end(conn);
    if (conn->length > 12 && !memcmp(conn->data, "GET /ghosts ", 12)) {
        char text[20];
        int chars = snprintf(text, sizeof text, "%u\n", ghosts);
        send_response(conn->fd, 200, text, chars);
        return end(conn);
    }
    while (served)
        if (serve_buffered(conn, &served) != KEEP) return end(conn);
}

int main(void) {
    setup();
    start_listening(SOCK_NONBLOCK);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = LISTENER}, events[64];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.u64 != LISTENER) {
                struct conn *conn = &conns[events[i].data.u64];
                if (conn->fd < 0) ghosts++;
                else serve(conn);
                continue;
            }
            int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) continue;
            if (next == REMEMBERED) return 1;
            conns[next].fd = fd;
            event.data.u64 = next++;
            epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
        }
    }
}
