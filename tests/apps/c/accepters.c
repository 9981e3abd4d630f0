/* Answers by threads that all wait in accept() on one blocking listener, and says on stdout if accept() fails in one of them
 * otherwise than for want of a descriptor. `accepters THREADS [LIMIT HOGS]`: with so few descriptors, which HOGS more threads
 * take and give back all the time. */
#include "listener.h"
#include <pthread.h>
#include <sys/resource.h>

static void *answer(void *unused) {
    (void)unused;
    const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\nConnection: close\r\n\r\npid=1 id=0\n";
    char request[4096];
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE) {
                usleep(100);
                continue;
            }
            printf("accept() failed: errno %d\n", errno);
            fflush(stdout);
            return NULL;
        }
        if (read(fd, request, sizeof request) >= 0 && write(fd, text, sizeof text - 1) < 0) perror("write");
        close(fd);
    }
}

static void *hog(void *unused) {
    (void)unused;
    int held[64];
    for (;;) {
        int count = 0;
        while (count < 64 && (held[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) count++;
        while (count) close(held[--count]);
        usleep(50);
    }
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t thread;
    setup();
    if (argc > 2) {
        rlim_t most = atoi(argv[2]);
        struct rlimit limit = {most, most};
        if (setrlimit(RLIMIT_NOFILE, &limit)) die("setrlimit");
    }
    start_listening(0);
    for (int left = argc > 1 ? atoi(argv[1]) : 1; left; left--)
        if (pthread_create(&thread, NULL, answer, NULL)) die("pthread_create");
    for (int left = argc > 3 ? atoi(argv[3]) : 0; left; left--)
        if (pthread_create(&thread, NULL, hog, NULL)) die("pthread_create");
    for (;;) pause();
}
