/* A non-blocking poll server; one accept per turn. */
#include "loop.h"

static struct pollfd *polled;
static struct conn **conns;
static size_t count = 1, room;

static void watch_listener(void) {
    polled[0] = (struct pollfd){listener, POLLIN, 0};
}

static void forget_listener(void) {
    polled[0].fd = -1;
}

static void make_room(void) {
    if (count < room) return;
    room += 1024;
    polled = realloc(polled, room * sizeof *polled);
    conns = realloc(conns, room * sizeof *conns);
    if (!polled || !conns) die("realloc");
}

static void accept_one(void) {
    int fd = non_blocking_accept();
    if (fd < 0) {
        if (errno != EINTR && errno != ECONNABORTED && errno != EAGAIN && errno != EMFILE) die("accept4");
        return;
    }
    make_room();
    conns[count] = new_connection(fd);
    polled[count++] = (struct pollfd){fd, POLLIN, 0};
}

int main(void) {
    setup();
    make_room();
    start_listening(SOCK_NONBLOCK);
    watch_listener();
    for (;;) {
        if (poll(polled, count, -1) < 0 && errno != EINTR) die("poll");
        for (size_t i = count - 1; i > 0; i--) {
            if (!polled[i].revents || !serve_ready(conns[i])) continue;
            end_connection(conns[i]);
            count--;
            conns[i] = conns[count];
            polled[i] = polled[count];
        }
        if (listener >= 0 && polled[0].revents) accept_one();
    }
}
