/* select(), then accept() on a blocking descriptor: hangs for ever if the connection vanishes in between. */
#include "contract.h"
#include <sys/select.h>

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

int main(void) {
    setup();
    start_listening(0);
    for (;;) {
        fd_set readable;
        FD_ZERO(&readable);
        FD_SET(listener, &readable);
        if (select(listener + 1, &readable, NULL, NULL, NULL) < 0) {
            if (errno == EINTR) continue;
            die("select");
        }
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED || errno == EAGAIN) continue;
            die("accept");
        }
        serve(fd);
    }
}
