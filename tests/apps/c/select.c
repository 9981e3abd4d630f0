/* A non-blocking select server; one accept per turn. */
#include "loop.h"
#include <sys/select.h>

static fd_set watched;
static struct conn *conns[FD_SETSIZE];

static void watch_listener(void) {
    FD_SET(listener, &watched);
}

static void forget_listener(void) {
    FD_CLR(listener, &watched);
}

static void accept_one(void) {
    int fd = non_blocking_accept();
    if (fd < 0) {
        if (errno != EINTR && errno != ECONNABORTED && errno != EAGAIN && errno != EMFILE) die("accept4");
        return;
    }
    if (fd >= FD_SETSIZE) {
        close(fd);
        return;
    }
    conns[fd] = new_connection(fd);
    FD_SET(fd, &watched);
}

int main(void) {
    setup();
    FD_ZERO(&watched);
    start_listening(SOCK_NONBLOCK);
    watch_listener();
    for (;;) {
        fd_set ready = watched;
        if (select(FD_SETSIZE, &ready, NULL, NULL, NULL) < 0) {
            if (errno != EINTR) die("select");
            continue;
        }
        for (int fd = 0; fd < FD_SETSIZE; fd++) {
            if (!FD_ISSET(fd, &ready)) continue;
            if (fd == listener) {
                accept_one();
            } else if (conns[fd] && serve_ready(conns[fd])) {
                FD_CLR(fd, &watched);
                end_connection(conns[fd]);
                conns[fd] = NULL;
            }
        }
    }
}
