/* What both servers of the bench begin with: a listening socket on 127.0.0.1, and, with FORK=N in the environment,
 * N processes that share it, or with REUSEPORT=1 too N processes with a socket each. FORK is the rival that needs no
 * supervisor: it never replaces a process that died. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what) {
    perror(what);
    exit(1);
}

/* The port comes from the first argument or from PORT. */
static int listen_on(int argc, char **argv, int type) {
    const char *port = argc > 1 ? argv[1] : getenv("PORT");
    if (!port) {
        fprintf(stderr, "usage: %s PORT (or set PORT)\n", argv[0]);
        exit(2);
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | type, 0);
    if (fd < 0) die("socket");
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (getenv("REUSEPORT")) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) die("bind");
    if (listen(fd, 4096) < 0) die("listen");
    return fd;
}

/* Returns in every process that is to serve; the first one waits for the others instead. */
static void fork_workers(void) {
    const char *fork_to = getenv("FORK");
    int workers = fork_to ? atoi(fork_to) : 0;
    if (workers == 0) return;
    pid_t first = getpid();
    for (int i = 0; i < workers; i++) {
        pid_t pid = fork();
        if (pid < 0) die("fork");
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() != first) exit(1);
            return;
        }
    }
    while (wait(NULL) > 0) {
    }
    exit(0);
}

/* The socket of this process, in every process that is to serve. */
static int listen_and_fork(int argc, char **argv, int type) {
    if (getenv("REUSEPORT")) {
        fork_workers();
        return listen_on(argc, argv, type);
    }
    int listener = listen_on(argc, argv, type);
    fork_workers();
    return listener;
}

/* An answer whose body is `pid=N`. Returns its length. */
static int answer(char *out, size_t size, int keep_alive) {
    char body[32];
    int length = snprintf(body, sizeof body, "pid=%d\n", (int)getpid());
    return snprintf(out, size, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n%s", length,
                    keep_alive ? "keep-alive" : "close", body);
}
