/* Serves one connection at a time from an event loop. On SIGTERM it closes its listener, finishes what it has accepted and ends: as a
 * server should that shares its listening socket with others, and can be kept from new connections by nobody else. On SIGUSR1 it executes itself
 * with its listener open and listens on that again, on SIGUSR2 it shuts the listener down and listens on it again, on SIGHUP it forks a child that
 * listens by itself and serves too. */
#include "blocking.h"

static volatile sig_atomic_t told;

static void on_signal(int number) {
    told = number;
}

static void listen_again(void) {
    if (listen(listener, 128)) die("listen");
    printf("listens again\n");
}

static void execute(char **argv) {
    char number[16];
    snprintf(number, sizeof number, "%d", listener);
    setenv("INHERITED", number, 1);
    if (fcntl(listener, F_SETFD, 0)) die("fcntl");
    execv("/proc/self/exe", argv);
    die("execv");
}

static void act(char **argv) {
    if (told == SIGUSR1) execute(argv);
    if (told == SIGUSR2) {
        if (shutdown(listener, SHUT_RD)) die("shutdown");
        listen_again();
    }
    if (told == SIGHUP && !fork()) {
        close(listener);
        start_listening(SOCK_NONBLOCK);
    }
    told = 0;
}

int main(int argc, char **argv) {
    (void)argc;
    setup();
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t mine, none;
    sigemptyset(&mine);
    sigemptyset(&none);
    static const int numbers[] = {SIGTERM, SIGUSR1, SIGUSR2, SIGHUP};
    /* It is told of signals only where it waits. */
    for (int at = 0; at < 4; at++) sigaddset(&mine, numbers[at]);
    sigprocmask(SIG_BLOCK, &mine, NULL);
    for (int at = 0; at < 4; at++) sigaction(numbers[at], &action, NULL);
    const char *inherited = getenv("INHERITED");
    if (inherited) {
        listener = atoi(inherited);
        listen_again();
    } else {
        start_listening(SOCK_NONBLOCK);
    }
    for (;;) {
        if (told == SIGTERM) break;
        if (told) act(argv);
        struct pollfd wait = {listener, POLLIN, 0};
        if (ppoll(&wait, 1, NULL, &none) < 0) continue;
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) serve(fd);
        else if (errno != EINTR && errno != ECONNABORTED && errno != EAGAIN) die("accept4");
    }
    close(listener);
}
