/* The requests every program here answers, for the C servers. */
#ifndef CONTRACT_H
#define CONTRACT_H
#include "listener.h"
#include <pthread.h>

static int address_text(char *out, size_t room) {
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    memset(&name, 0, sizeof name);
    if (listener < 0 || getsockname(listener, (struct sockaddr *)&name, &length)) return snprintf(out, room, "none\n");
    char text[INET6_ADDRSTRLEN];
    if (name.ss_family == AF_INET) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)&name;
        inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
        return snprintf(out, room, "%s:%d\n", text, ntohs(v4->sin_port));
    }
    if (name.ss_family == AF_INET6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&name;
        inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
        return snprintf(out, room, "[%s]:%d\n", text, ntohs(v6->sin6_port));
    }
    struct sockaddr_un *un = (struct sockaddr_un *)&name;
    int chars = (int)(length - offsetof(struct sockaddr_un, sun_path));
    if (chars > 0 && !un->sun_path[0]) return snprintf(out, room, "@%.*s\n", chars - 1, un->sun_path + 1);
    return snprintf(out, room, "%.*s\n", chars, un->sun_path);
}

/* Writes it all; a socket that is full is waited for. */
static int send_all(int fd, const char *data, size_t length) {
    while (length) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno == EAGAIN) {
            struct pollfd wait = {fd, POLLOUT, 0};
            poll(&wait, 1, -1);
            continue;
        }
        if (sent < 0) return -1;
        data += sent;
        length -= sent;
    }
    return 0;
}

static int send_response(int fd, int status, const char *body, size_t length) {
    char head[80];
    int chars = snprintf(head, sizeof head, "HTTP/1.1 %d x\r\nContent-Length: %zu\r\n\r\n", status, length);
    /* One segment for small answers: two would wait for each other's acknowledgement. */
    if (length < 512) {
        char both[sizeof head + 512];
        memcpy(both, head, chars);
        memcpy(both + chars, body, length);
        return send_all(fd, both, chars + length);
    }
    return send_all(fd, head, chars) || send_all(fd, body, length) ? -1 : 0;
}

struct conn {
    int fd;
    char *data;
    size_t length, room;
};

enum verdict { KEEP, CLOSE, CLOSE_LISTENER, LISTEN_AGAIN };

static void say(const char *line) {
    if (write(1, line, strlen(line)) < 0) die("write");
}

static void spin(long ms) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long long end = now.tv_sec * 1000LL + now.tv_nsec / 1000000 + ms;
    while (now.tv_sec * 1000LL + now.tv_nsec / 1000000 < end) clock_gettime(CLOCK_MONOTONIC, &now);
}

/* Locks twice what nobody will ever let go of. */
static void lock_up(void) {
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    for (;;) pthread_mutex_lock(&mutex);
}

/* Answers one request. For the last two verdicts the caller, who knows its event loop, acts and answers. */
static enum verdict answer(struct conn *conn, const char *head, const char *body, size_t length) {
    char text[256];
    int chars = 0;
    enum verdict after = strcasestr(head, "\r\nConnection: close") ? CLOSE : KEEP;
    int slow = !strncmp(head, "GET /slow?ms=", 13), busy = !strncmp(head, "GET /spin?ms=", 13);
    if (!strncmp(head, "GET / ", 6) || slow || busy) {
        if (busy) say("spinning\n");
        if (busy) spin(atol(head + 13));
        if (slow) {
            long ms = atol(head + 13);
            struct timespec left = {ms / 1000, ms % 1000 * 1000000};
            while (nanosleep(&left, &left)) {}
        }
        const char *id = getenv("PROCESS_LOGICAL_ID");
        chars = snprintf(text, sizeof text, "pid=%d id=%s\n", getpid(), id ? id : "");
    } else if (!strncmp(head, "GET /lock ", 10)) {
        say("locking\n");
        lock_up();
    } else if (!strncmp(head, "GET /exit?code=", 15)) {
        _exit(atoi(head + 15));
    } else if (!strncmp(head, "POST /echo ", 11)) {
        return send_response(conn->fd, 200, body, length) ? CLOSE : after;
    } else if (!strncmp(head, "GET /port ", 10)) {
        chars = address_text(text, sizeof text);
    } else if (!strncmp(head, "GET /close-listener ", 20)) {
        return CLOSE_LISTENER;
    } else if (!strncmp(head, "GET /listen-again ", 18)) {
        return LISTEN_AGAIN;
    } else {
        static const char missing[] = "no such page\n";
        return send_response(conn->fd, 404, missing, sizeof missing - 1) ? CLOSE : after;
    }
    return send_response(conn->fd, 200, text, chars) ? CLOSE : after;
}

/* Serves the first request in the buffer, if it is complete; *served says whether it was. */
static enum verdict serve_buffered(struct conn *conn, int *served) {
    *served = 0;
    char *end = conn->length ? memmem(conn->data, conn->length, "\r\n\r\n", 4) : NULL;
    if (!end) return KEEP;
    *end = 0;
    char *field = strcasestr(conn->data, "\r\nContent-Length:");
    size_t length = field ? strtoul(field + 17, NULL, 10) : 0, total = end - conn->data + 4 + length;
    if (conn->length < total) {
        *end = '\r';
        return KEEP;
    }
    enum verdict verdict = answer(conn, conn->data, end + 4, length);
    memmove(conn->data, conn->data + total, conn->length - total);
    conn->length -= total;
    *served = 1;
    return verdict;
}

/* Reads once. 1: bytes came, 0: none now, -1: the connection is over. */
static int fill(struct conn *conn) {
    if (conn->room - conn->length < 4096) {
        conn->room += 65536;
        conn->data = realloc(conn->data, conn->room);
        if (!conn->data) die("realloc");
    }
    ssize_t got = recv(conn->fd, conn->data + conn->length, conn->room - conn->length - 1, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    if (got <= 0) return -1;
    conn->length += got;
    conn->data[conn->length] = 0;
    return 1;
}
#endif
