/* Waits for connections by many epoll sets, answers one, and then looks whether each set still has the listener as its own:
 * a registration that cannot be removed, or fires afterwards, is a ghost. Says on stdout what it found, then goes on serving.
 * `registered SETS fork [ROOT]`: a forked child does it, in ROOT if there is one. `registered SETS early`: a thread
 * does it after the first thread has ended, and registers the socket before it listens. */
#include "listener.h"
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

static int sets[1024], count;

static void register_in_all(int fd) {
    for (int i = 0; i < count; i++) {
        struct epoll_event wanted = {.events = EPOLLIN, .data.u32 = i};
        sets[i] = epoll_create1(EPOLL_CLOEXEC);
        if (sets[i] < 0 || epoll_ctl(sets[i], EPOLL_CTL_ADD, fd, &wanted)) die("epoll");
    }
}

static void serve_one(void) {
    char request[4096];
    const char answer[] = "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nhi\n";
    struct epoll_event seen;
    int fd;
    do {
        if (epoll_wait(sets[count - 1], &seen, 1, -1) < 0 && errno != EINTR) die("epoll_wait");
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    } while (fd < 0 && (errno == EAGAIN || errno == EINTR));
    if (fd < 0) die("accept4");
    if (read(fd, request, sizeof request) < 0 || write(fd, answer, sizeof answer - 1) < 0) perror("serve");
    close(fd);
}

static int ghosts(void) {
    int found = 0;
    for (int i = 0; i < count; i++) {
        struct epoll_event seen;
        int removed = !epoll_ctl(sets[i], EPOLL_CTL_DEL, listener, NULL);
        if (!removed || epoll_wait(sets[i], &seen, 1, 0)) found++;
        close(sets[i]);
    }
    return found;
}

static void serve(void) {
    serve_one();
    printf("%d ghosts in %d sets\n", ghosts(), count);
    fflush(stdout);
    register_in_all(listener);
    for (;;) serve_one();
}

static void *late(void *unused) {
    (void)unused;
    int fd = socket(own_address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    /* The first thread is a zombie before anything is registered. */
    char path[64], state = 0, *name_end;
    while (state != 'Z') {
        char text[512] = {0};
        snprintf(path, sizeof path, "/proc/self/task/%d/stat", getpid());
        FILE *stat = fopen(path, "r");
        if (!stat || !fread(text, 1, sizeof text - 1, stat)) die(path);
        fclose(stat);
        name_end = strrchr(text, ')');
        if (name_end) state = name_end[2];
        usleep(1000);
    }
    if (bind(fd, (struct sockaddr *)&own_address, own_length)) die("bind");
    register_in_all(fd);
    if (listen(fd, 511)) die("listen");
    listener = fd;
    serve();
    return NULL;
}

int main(int argc, char **argv) {
    if (argc < 3 || atoi(argv[1]) < 1 || atoi(argv[1]) > 1024) return 2;
    count = atoi(argv[1]);
    setup();
    if (!strcmp(argv[2], "early")) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, late, NULL)) die("pthread_create");
        pthread_exit(NULL);
    }
    start_listening(SOCK_NONBLOCK);
    if (!fork()) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (argc > 3 && (chroot(argv[3]) || chdir("/"))) die("chroot");
        register_in_all(listener);
        serve();
    }
    for (;;) pause();
}
