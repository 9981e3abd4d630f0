/* Several threads block in accept() on one listener; each serves one connection at a time. */
#include "blocking.h"

enum { THREADS = 4 };

static void *run(void *unused) {
    serve_all();
    return unused;
}

int main(void) {
    setup();
    start_listening(0);
    pthread_t thread;
    for (int i = 1; i < THREADS; i++) {
        if (pthread_create(&thread, NULL, run, NULL)) die("pthread_create");
    }
    run(NULL);
}
