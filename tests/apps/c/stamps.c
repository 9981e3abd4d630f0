/* A thread for each connection. Every answer says when its connection was waiting to be accepted at the latest: the
 * moment, on CLOCK_MONOTONIC, before the call of accept() that took it. Requests: `GET /` and `GET /slow?ms=N`, one a
 * connection; the answer is `pid=P id=ID\n` or, for `GET /stamp` and `GET /slow`, `pid=P id=NANOSECONDS\n`. */
#include "contract.h"

struct taken {
    int fd;
    long long at;
};

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void *serve(void *argument) {
    struct taken taken = *(struct taken *)argument;
    free(argument);
    struct conn conn = {.fd = taken.fd};
    while (!conn.length || !memmem(conn.data, conn.length, "\r\n\r\n", 4))
        if (fill(&conn) < 0) goto over;
    int slow = !strncmp(conn.data, "GET /slow?ms=", 13);
    if (slow || !strncmp(conn.data, "GET /stamp ", 11)) {
        char text[80];
        if (slow) usleep(atol(conn.data + 13) * 1000);
        int chars = snprintf(text, sizeof text, "pid=%d id=%lld\n", getpid(), taken.at);
        send_response(taken.fd, 200, text, chars);
    } else {
        int served;
        serve_buffered(&conn, &served);
    }
over:
    close(taken.fd);
    free(conn.data);
    return NULL;
}

int main(void) {
    setup();
    start_listening(SOCK_NONBLOCK);
    for (;;) {
        struct pollfd wait = {listener, POLLIN, 0};
        poll(&wait, 1, -1);
        long long at = now();
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) die("accept4");
        if (fd < 0) continue;
        struct taken *taken = malloc(sizeof *taken);
        if (!taken) die("malloc");
        *taken = (struct taken){fd, at};
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, taken)) die("pthread_create");
        pthread_detach(thread);
    }
}
