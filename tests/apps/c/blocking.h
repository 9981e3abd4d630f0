/* Serves one connection to its end, for the programs whose threads or processes block. */
#ifndef BLOCKING_H
#define BLOCKING_H
#include "contract.h"

static void serve(int fd) {
    struct conn conn = {.fd = fd};
    for (int over = 0, served; !over;) {
        if (fill(&conn) < 0) break;
        do {
            enum verdict verdict = serve_buffered(&conn, &served);
            if (verdict == CLOSE_LISTENER || verdict == LISTEN_AGAIN) send_response(fd, 404, "no such page\n", 13);
            over = verdict == CLOSE;
        } while (served && !over);
    }
    close(fd);
    free(conn.data);
}

/* Accepts and serves, for ever. */
static inline void serve_all(void) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) serve(fd);
        else if (errno != EINTR && errno != ECONNABORTED) die("accept4");
    }
}
#endif
