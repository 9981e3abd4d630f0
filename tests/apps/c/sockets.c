/* Checks what a program may expect of its listening sockets, call by call. It passes alone; it must pass as a worker. */
#include "listener.h"
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/wait.h>

static int checks, failures;

static void check(int ok, const char *what, int line) {
    int error = errno;
    checks++;
    if (getenv("VERBOSE")) printf("line %d: %s\n", line, what);
    if (ok) {
        errno = error;
        return;
    }
    failures++;
    printf("line %d: not so: %s (errno %d %s)\n", line, what, error, strerror(error));
}
#define CHECK(condition) check(condition, #condition, __LINE__)
/* The call fails with exactly this errno. */
#define FAILS(call, wanted) (errno = 0, CHECK((call) == -1 && errno == (wanted)))

static int option(int fd, int level, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(fd, level, name, &value, &length) ? -errno : value;
}

static int set_option(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof value);
}

static int dial(void) {
    int fd = socket(own_address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&own_address, own_length)) die("connect");
    return fd;
}

static int readable(int fd, int limit) {
    struct pollfd polled = {fd, POLLIN, 0};
    return poll(&polled, 1, limit) == 1 && polled.revents == POLLIN;
}

/* Both ends are one connection. */
static int paired(int client, int served) {
    char sent = 'x', got = 0;
    return served >= 0 && write(client, &sent, 1) == 1 && read(served, &got, 1) == 1 && got == sent;
}

static void names(void) {
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    CHECK(getsockname(listener, (struct sockaddr *)&name, &length) == 0);
    CHECK(length == own_length && !memcmp(&name, &own_address, own_length));
    length = 4;
    memset(&name, 0xee, sizeof name);
    CHECK(getsockname(listener, (struct sockaddr *)&name, &length) == 0 && length == own_length);
    CHECK(own_address.ss_family == AF_UNIX || ((unsigned char *)&name)[3] == ((unsigned char *)&own_address)[3]);
    CHECK(((unsigned char *)&name)[4] == 0xee);
    CHECK(option(listener, SOL_SOCKET, SO_ACCEPTCONN) == 1);
    CHECK(option(listener, SOL_SOCKET, SO_TYPE) == SOCK_STREAM);
    CHECK(option(listener, SOL_SOCKET, SO_DOMAIN) == own_address.ss_family);
    CHECK(option(listener, SOL_SOCKET, SO_PROTOCOL) == (own_address.ss_family == AF_UNIX ? 0 : IPPROTO_TCP));
}

/* What the kernel says of a listener and of arguments that make no sense. */
static void refusals(void) {
    struct sockaddr_storage name;
    socklen_t length = sizeof name, none = -1;
    int value = 0;
    FAILS(getpeername(listener, (struct sockaddr *)&name, &length), ENOTCONN);
    CHECK(length == sizeof name);
    FAILS(getsockopt(listener, SOL_SOCKET, SO_TYPE, NULL, &length), EFAULT);
    FAILS(getsockopt(listener, SOL_SOCKET, SO_KEEPALIVE, &value, &none), EINVAL);
    FAILS(setsockopt(listener, SOL_SOCKET, SO_KEEPALIVE, &value, -1), EINVAL);
    FAILS(shutdown(listener, 7), EINVAL);
    int copy = dup(listener), client = dial(), served = accept(copy, NULL, NULL);
    CHECK(paired(client, served));
    close(client);
    close(served);
    close(copy);
    FAILS(accept(copy, NULL, NULL), EBADF);
}

/* A number that was a listener is another one now, and one that accept() has never seen is the listener's. */
static void numbers_change_hands(void) {
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof own;
    int copy = dup(listener), client = dial(), served = accept(copy, NULL, NULL);
    CHECK(paired(client, served));
    close(client);
    close(served);
    int fresh = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(dup2(fresh, copy) == copy && close(fresh) == 0);
    CHECK(bind(copy, (struct sockaddr *)&own, length) == 0 && listen(copy, 5) == 0);
    CHECK(getsockname(copy, (struct sockaddr *)&own, &length) == 0);
    client = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(client, (struct sockaddr *)&own, length) == 0);
    errno = 77;
    CHECK(paired(client, served = accept(copy, NULL, NULL)) && errno == 77);
    close(client);
    close(served);
    close(copy);

    copy = fcntl(listener, F_DUPFD_CLOEXEC, 700);
    client = dial();
    errno = 77;
    CHECK(paired(client, served = accept(copy, NULL, NULL)) && errno == 77);
    close(client);
    close(served);
    close(copy);
}

/* After an exec nobody remembers; `number` is the listener's. */
static int inherited(const char *number) {
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    parse_address();
    listener = atoi(number);
    errno = 77;
    CHECK(listen(listener, 5) == 0 && errno == 77);
    CHECK(getsockname(listener, (struct sockaddr *)&name, &length) == 0);
    CHECK(length == own_length && !memcmp(&name, &own_address, own_length));
    int client = dial(), served = accept(listener, NULL, NULL);
    CHECK(paired(client, served));
    return failures != 0;
}

static void executing(void) {
    char number[16];
    int status = -1;
    snprintf(number, sizeof number, "%d", dup(listener));
    pid_t child = fork();
    if (!child) {
        execl("/proc/self/exe", "sockets", number, NULL);
        _exit(9);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    close(atoi(number));
}

static void *listen_and_accept(void *result) {
    start_listening(0);
    int client = dial(), served = accept(listener, NULL, NULL);
    *(int *)result = paired(client, served);
    close(client);
    close(served);
    return NULL;
}

/* The smallest that a program may ask for. */
static void on_a_small_stack(void) {
    pthread_attr_t small;
    pthread_t thread;
    int result = 0;
    close(listener);
    pthread_attr_init(&small);
    size_t size = sysconf(_SC_THREAD_STACK_MIN);
#ifdef __SANITIZE_ADDRESS__
    size *= 4; /* its memcpy() alone takes two kilobytes */
#endif
    /* What other libraries keep for each thread comes out of its stack. */
    const char *kept = getenv("KEPT_PER_THREAD");
    if (kept) size += atoi(kept);
    CHECK(pthread_attr_setstacksize(&small, size) == 0);
    CHECK(pthread_create(&thread, &small, listen_and_accept, &result) == 0 && pthread_join(thread, NULL) == 0);
    CHECK(result);
}

static void options(void) {
    CHECK(set_option(listener, IPPROTO_TCP, TCP_NODELAY, 1) == 0);
    CHECK(option(listener, IPPROTO_TCP, TCP_NODELAY) == 1);
    CHECK(set_option(listener, SOL_SOCKET, SO_KEEPALIVE, 1) == 0);
    CHECK(option(listener, SOL_SOCKET, SO_KEEPALIVE) == 1);
    FAILS(set_option(listener, IPPROTO_TCP, 9999, 1), ENOPROTOOPT);
    FAILS(setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, NULL, 0), EINVAL);
    struct timeval limit = {7, 0}, none = {0, 0}, got = {0, 0};
    socklen_t length = sizeof got;
    CHECK(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    int client = dial(), fd = accept(listener, NULL, NULL);
    CHECK(option(fd, IPPROTO_TCP, TCP_NODELAY) == 1); /* inherited, though set after listen() */
    CHECK(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &got, &length) == 0 && got.tv_sec == 7);
    CHECK(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none) == 0);
    close(client);
    close(fd);
}

/* Registered before listen(), as boost::asio does. */
static void early_registration(void) {
    int epoll = epoll_create1(EPOLL_CLOEXEC), fd = socket(own_address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x123456789abc};
    if (own_address.ss_family != AF_UNIX) set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
    errno = 77;
    CHECK(bind(fd, (struct sockaddr *)&own_address, own_length) == 0);
    CHECK(listen(fd, 5) == 0);
    CHECK(listen(fd, 50) == 0);
    CHECK(errno == 77);
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK(!(fcntl(fd, F_GETFD) & FD_CLOEXEC));
    FAILS(accept(fd, NULL, NULL), EAGAIN);
    FAILS(accept4(fd, NULL, NULL, SOCK_CLOEXEC), EAGAIN);
    memset(&event, 0, sizeof event);
    CHECK(epoll_wait(epoll, &event, 1, 0) == 0);
    int client = dial();
    CHECK(epoll_wait(epoll, &event, 1, 5000) == 1 && event.data.u64 == 0x123456789abc && event.events == EPOLLIN);
    event.events = EPOLLIN | EPOLLET;
    CHECK(epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) == 0);
    listener = fd;
    int served = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CHECK(served >= 0 && fcntl(served, F_GETFL) & O_NONBLOCK && fcntl(served, F_GETFD) & FD_CLOEXEC);
    CHECK(epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) == 0);
    close(client);
    close(served);
    close(epoll);
    int off = 0;
    CHECK(ioctl(fd, FIONBIO, &off) == 0 && !(fcntl(fd, F_GETFL) & O_NONBLOCK));
}

static void accepting(void) {
    struct sockaddr_storage peer, own;
    socklen_t peer_length = sizeof peer, own_size = sizeof own;
    int client = dial();
    CHECK(readable(listener, 5000));
    fd_set set;
    FD_ZERO(&set);
    FD_SET(listener, &set);
    struct timeval soon = {5, 0};
    CHECK(select(listener + 1, &set, NULL, NULL, &soon) == 1 && FD_ISSET(listener, &set));
    struct timespec later = {5, 0};
    CHECK(pselect(listener + 1, &set, NULL, NULL, &later, NULL) == 1 && FD_ISSET(listener, &set));
    struct pollfd polled = {listener, POLLIN, 0};
    CHECK(ppoll(&polled, 1, &later, NULL) == 1);
    errno = 77;
    int served = accept(listener, (struct sockaddr *)&peer, &peer_length);
    CHECK(errno == 77);
    CHECK(paired(client, served));
    CHECK(!(fcntl(served, F_GETFL) & O_NONBLOCK) && !(fcntl(served, F_GETFD) & FD_CLOEXEC));
    getsockname(client, (struct sockaddr *)&own, &own_size);
    CHECK(peer.ss_family == own_address.ss_family && peer_length == own_size && !memcmp(&peer, &own, own_size));
    own_size = sizeof own;
    CHECK(getsockname(served, (struct sockaddr *)&own, &own_size) == 0 && own.ss_family == own_address.ss_family);
    CHECK(option(served, SOL_SOCKET, SO_ACCEPTCONN) == 0);
    close(client);
    close(served);

    int copy = dup(listener);
    client = dial();
    CHECK(paired(client, served = accept(copy, NULL, NULL)));
    close(copy);
    close(client);
    close(served);

    client = dial();
    pid_t child = fork();
    if (!child) _exit(paired(client, accept(listener, NULL, NULL)) ? 0 : 1);
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    close(client);
}

static void faults(void) {
    int udp = socket(AF_INET, SOCK_DGRAM, 0), fresh = socket(AF_INET, SOCK_STREAM, 0), file = open("/dev/null", O_RDONLY);
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t length = sizeof any;
    /* To a number that no listener had. */
    int moved = fcntl(udp, F_DUPFD_CLOEXEC, 500);
    close(udp);
    udp = moved;
    FAILS(accept(-1, NULL, NULL), EBADF);
    FAILS(accept(file, NULL, NULL), ENOTSOCK);
    FAILS(accept(udp, NULL, NULL), EOPNOTSUPP);
    FAILS(accept(fresh, NULL, NULL), EINVAL);
    FAILS(accept4(listener, NULL, NULL, 0x10000), EINVAL);
    FAILS(listen(udp, 1), EOPNOTSUPP);
    FAILS(listen(-1, 1), EBADF);
    FAILS(bind(file, (struct sockaddr *)&any, sizeof any), ENOTSOCK);
    FAILS(bind(fresh, (struct sockaddr *)&any, 3), EINVAL);
    FAILS(bind(listener, (struct sockaddr *)&own_address, own_length), EINVAL);
    FAILS(getsockname(file, (struct sockaddr *)&any, &length), ENOTSOCK);
    inet_pton(AF_INET, "192.0.2.1", &any.sin_addr);
    FAILS(bind(fresh, (struct sockaddr *)&any, sizeof any), EADDRNOTAVAIL);

    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(udp, (struct sockaddr *)&any, sizeof any) == 0);
    CHECK(option(udp, SOL_SOCKET, SO_REUSEPORT) == 0);
    CHECK(getsockname(udp, (struct sockaddr *)&any, &length) == 0 && any.sin_port);
    struct sockaddr_in wild = {.sin_family = AF_INET};
    int chosen = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(chosen, (struct sockaddr *)&wild, sizeof wild) == 0);
    CHECK(getsockname(chosen, (struct sockaddr *)&wild, &length) == 0 && wild.sin_port);
    close(chosen);
    int mptcp = socket(AF_INET, SOCK_STREAM, 262);
    if (mptcp >= 0) {
        any.sin_port = 0;
        CHECK(bind(mptcp, (struct sockaddr *)&any, sizeof any) == 0 && listen(mptcp, 5) == 0);
        CHECK(getsockname(mptcp, (struct sockaddr *)&any, &length) == 0 && any.sin_port);
        CHECK(option(mptcp, SOL_SOCKET, SO_PROTOCOL) == 262);
        connect(fresh, (struct sockaddr *)&any, sizeof any);
        int served = accept(mptcp, NULL, NULL);
        CHECK(paired(fresh, served));
        close(served);
        close(mptcp);
    }
    close(udp);
    close(fresh);
    close(file);
}

static void on_alarm(int number) {
    (void)number;
}

static void interrupted(void) {
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    ualarm(50000, 50000); /* again and again: the first may come before accept() */
    FAILS(accept(listener, NULL, NULL), EINTR);
    ualarm(0, 0);
    struct timeval limit = {0, 50000}, none = {0, 0};
    CHECK(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    FAILS(accept(listener, NULL, NULL), EAGAIN);
    CHECK(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none) == 0);
}

/* Not by connections: by whatever else a program opens. */
static void descriptors_run_out(void) {
    int client = dial(), first = -1, last = -1, fd;
    CHECK(readable(listener, 5000));
    while ((fd = fcntl(0, F_DUPFD_CLOEXEC, 3)) >= 0) {
        if (first < 0) first = fd;
        last = fd;
    }
    FAILS(accept(listener, NULL, NULL), EMFILE);
    if (readable(listener, 5000)) FAILS(accept(listener, NULL, NULL), EMFILE);
    for (; last >= first; last--) close(last);
    int waits = readable(listener, 5000);
    CHECK(waits);
    int served = waits ? accept(listener, NULL, NULL) : -1;
    CHECK(paired(client, served));
    close(client);
    close(served);
}

static void *accept_forever(void *result) {
    int fd = accept(listener, NULL, NULL);
    *(int *)result = fd < 0 ? errno : 0;
    return NULL;
}

/* The thread sleeps in a system call; that is all that can be seen of it from here. */
static void wait_until_asleep(void) {
    nanosleep(&(struct timespec){0, 20000000}, NULL);
}

static void threads(void) {
    pthread_t thread;
    void *ended = NULL;
    int result = -1;
    pthread_create(&thread, NULL, accept_forever, &result);
    wait_until_asleep();
    CHECK(pthread_cancel(thread) == 0 && pthread_join(thread, &ended) == 0 && ended == PTHREAD_CANCELED);
    int client = dial(), served = accept(listener, NULL, NULL);
    CHECK(paired(client, served));
    close(client);
    close(served);
    /* Several times: whoever notices the end of the listener has a race to win. */
    for (int round = 0; round < 20; round++) {
        pthread_create(&thread, NULL, accept_forever, &result);
        wait_until_asleep();
        CHECK(shutdown(listener, SHUT_RDWR) == 0);
        CHECK(pthread_join(thread, &ended) == 0 && result == EINVAL);
        close(listener);
        start_listening(0);
    }
}

static void credentials(void) {
    struct ucred who;
    socklen_t length = sizeof who;
    int client = dial();
    CHECK(getsockopt(client, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0 && who.pid == getpid());
    int served = accept(listener, NULL, NULL);
    CHECK(getsockopt(served, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0 && who.pid == getpid());
    close(client);
    close(served);
}

int main(int count, char **arguments) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count > 1) return inherited(arguments[1]);
    setup();
    early_registration();
    names();
    accepting();
    refusals();
    if (own_address.ss_family == AF_UNIX) {
        credentials();
        executing(); /* last: whoever calls listen() is whom clients see */
    } else {
        executing();
        options();
        faults();
        numbers_change_hands();
        descriptors_run_out();
        interrupted();
        threads();
        on_a_small_stack();
        close(listener);
        close_range(3, ~0U, 0);
        start_listening(0); /* again, with nothing left open */
        names();
    }
    printf("sockets: %d of %d checks failed\n", failures, checks);
    return failures != 0;
}
