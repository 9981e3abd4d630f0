/* Listens, then forks children that each serve one connection at a time; the parent waits for them and takes them along. */
#include "blocking.h"
#include <sys/prctl.h>
#include <sys/wait.h>

enum { CHILDREN = 2 };

int main(void) {
    setup();
    start_listening(0);
    pid_t parent = getpid();
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = fork();
        if (child < 0) die("fork");
        if (child) continue;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(0);
        serve_all();
    }
    while (wait(NULL) > 0 || errno == EINTR) {}
}
