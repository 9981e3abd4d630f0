/* select(), then accept() on a blocking descriptor: hangs for ever if the connection vanishes in between.
   NAP_MS=N makes that time longer, once: between the first select() and its accept(). */
#include "blocking.h"
#include <sys/select.h>

int main(void) {
    setup();
    const char *nap = getenv("NAP_MS");
    long nap_ms = nap ? atol(nap) : 0;
    start_listening(0);
    for (;;) {
        fd_set readable;
        FD_ZERO(&readable);
        FD_SET(listener, &readable);
        if (select(listener + 1, &readable, NULL, NULL, NULL) < 0) {
            if (errno == EINTR) continue;
            die("select");
        }
        struct timespec left = {nap_ms / 1000, nap_ms % 1000 * 1000000};
        while (nap_ms && nanosleep(&left, &left)) {}
        nap_ms = 0;
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED || errno == EAGAIN) continue;
            die("accept");
        }
        serve(fd);
    }
}
