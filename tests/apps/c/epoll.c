/* A non-blocking epoll server with a greedy accept loop; ET=1 makes every registration edge-triggered. */
#include "loop.h"
#include <sys/epoll.h>

static int epoll;
static unsigned edge;

static void watch(int fd, void *tag) {
    struct epoll_event event = {.events = EPOLLIN | edge, .data.ptr = tag};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
}

static void watch_listener(void) {
    watch(listener, NULL);
}

static void forget_listener(void) {
    epoll_ctl(epoll, EPOLL_CTL_DEL, listener, NULL);
}

static void accept_all(void) {
    for (;;) {
        int fd = non_blocking_accept();
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED) continue;
            if (errno == EAGAIN || errno == EMFILE) return;
            die("accept4");
        }
        struct conn *conn = new_connection(fd);
        watch(fd, conn);
    }
}

int main(void) {
    setup();
    const char *et = getenv("ET");
    edge = et && atoi(et) ? EPOLLET : 0;
    epoll = epoll_create1(EPOLL_CLOEXEC);
    start_listening(SOCK_NONBLOCK);
    watch_listener();
    for (;;) {
        struct epoll_event events[64];
        int ready = epoll_wait(epoll, events, 64, -1);
        if (ready < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < ready; i++) {
            struct conn *conn = events[i].data.ptr;
            if (!conn && listener >= 0) accept_all();
            if (conn && serve_ready(conn)) end_connection(conn);
        }
    }
}
