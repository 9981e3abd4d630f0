/* Listens, then forks children that each serve one connection at a time; the parent waits for them and takes them along. With
 * LOCK=1 in the environment they take turns to accept, by a lock that the kernel keeps, as Apache does. */
#include "blocking.h"
#include <sys/prctl.h>
#include <sys/wait.h>

enum { CHILDREN = 2 };

static void lock(int file, short kind) {
    struct flock whole = {.l_type = kind, .l_whence = SEEK_SET};
    while (fcntl(file, F_SETLKW, &whole)) {
        if (errno != EINTR) die("fcntl");
    }
}

/* Accepts while it holds the lock, serves without it. */
static void serve_by_turns(int file) {
    for (;;) {
        lock(file, F_WRLCK);
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC), error = errno;
        lock(file, F_UNLCK);
        if (fd >= 0) serve(fd);
        else if (error != EINTR && error != ECONNABORTED) die("accept4");
    }
}

int main(void) {
    setup();
    start_listening(0);
    pid_t parent = getpid();
    const char *wish = getenv("LOCK");
    FILE *turns = wish && atoi(wish) ? tmpfile() : NULL;
    if (wish && atoi(wish) && !turns) die("tmpfile");
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = fork();
        if (child < 0) die("fork");
        if (child) continue;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(0);
        if (turns) serve_by_turns(fileno(turns));
        serve_all();
    }
    while (wait(NULL) > 0 || errno == EINTR) {}
}
