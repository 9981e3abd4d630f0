/* Serves one connection at a time from an event loop. On SIGTERM it closes its listener, finishes what it has accepted and ends: as a
 * server should that shares its listening socket with others, and can be kept from new connections by nobody else. */
#include "blocking.h"

static volatile sig_atomic_t leaves;

static void on_term(int number) {
    (void)number;
    leaves = 1;
}

int main(void) {
    setup();
    struct sigaction action = {.sa_handler = on_term};
    sigset_t term, none;
    sigemptyset(&term);
    sigemptyset(&none);
    sigaddset(&term, SIGTERM);
    /* It is told of the signal only where it waits. */
    sigprocmask(SIG_BLOCK, &term, NULL);
    sigaction(SIGTERM, &action, NULL);
    start_listening(SOCK_NONBLOCK);
    while (!leaves) {
        struct pollfd wait = {listener, POLLIN, 0};
        if (ppoll(&wait, 1, NULL, &none) < 0) continue;
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) serve(fd);
        else if (errno != EINTR && errno != ECONNABORTED && errno != EAGAIN) die("accept4");
    }
    close(listener);
}
