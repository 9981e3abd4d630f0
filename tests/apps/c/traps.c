/* Does what has broken other interposers, one trap at a time: `traps NAME`. What came of it, in words that are the same
   wherever it runs, goes to the file TRAP_OUT once it has ended. */
#include "listener.h"
#include <spawn.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

extern char **environ;
static char said[16384];

static void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t length = strlen(said);
    vsnprintf(said + length, sizeof said - length, format, arguments);
    va_end(arguments);
}

static void tell(const char *what, long result) {
    int error = errno;
    if (result < 0) say("%s: errno %d\n", what, error);
    else say("%s: %ld\n", what, result);
}

/* Whole or not at all: the reader waits for the file. */
static void end(void) {
    const char *path = getenv("TRAP_OUT");
    char other[4096];
    if (!path) exit(2);
    snprintf(other, sizeof other, "%s.part", path);
    FILE *out = fopen(other, "w");
    if (!out) exit(3);
    fputs(said, out);
    if (fclose(out) || rename(other, path)) exit(4);
    exit(0);
}

static int dial(void) {
    int fd = socket(own_address.ss_family, SOCK_STREAM, 0);
    int failed = connect(fd, (struct sockaddr *)&own_address, own_length);
    /* It goes on. */
    struct pollfd polled = {fd, POLLOUT, 0};
    while (failed && errno == EINTR && poll(&polled, 1, 5000) < 0) {}
    if (failed && errno != EINTR) say("connect: errno %d\n", errno);
    return fd;
}

/* Both ends are one connection. */
static int paired(int client, int served) {
    char sent = 'x', got = 0;
    return served >= 0 && write(client, &sent, 1) == 1 && read(served, &got, 1) == 1 && got == sent;
}

static void serve_one(const char *what, int fd) {
    int client = dial(), served = accept(fd, NULL, NULL);
    int error = errno;
    say("%s: %s", what, paired(client, served) ? "served\n" : "not served");
    if (served < 0) say(", errno %d\n", error);
    close(client);
    close(served);
}

static int option(int fd, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &length) ? -errno : value;
}

static void say_what_it_is(int fd) {
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    say("listens %d, type %d, domain %d, protocol %d", option(fd, SO_ACCEPTCONN), option(fd, SO_TYPE),
        option(fd, SO_DOMAIN), option(fd, SO_PROTOCOL));
    int named = getsockname(fd, (struct sockaddr *)&name, &length);
    say(", named %d\n", !named && length == own_length && !memcmp(&name, &own_address, length));
}

static int bound(void) {
    int fd = socket(own_address.ss_family, SOCK_STREAM, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&own_address, own_length)) say("bind: errno %d\n", errno);
    return fd;
}

/* A listener is 0, connections are 1 and 2. */
static void no_standard_descriptors(void) {
    for (int fd = 0; fd < 3; fd++) close(fd);
    start_listening(0);
    say("listener %d\n", listener);
    say_what_it_is(listener);
    struct pollfd polled = {listener, POLLIN, 0};
    int client = dial();
    tell("poll", poll(&polled, 1, 5000));
    int served = accept(listener, NULL, NULL);
    say("client %d, served %d, paired %d\n", client, served, paired(client, served));
    close(client);
    close(served);
    serve_one("again", listener);
}

/* One by one, as old daemons do, before listening and after it. */
static void closes_everything(void) {
    for (int fd = 3; fd < 1024; fd++) close(fd);
    start_listening(0);
    for (int fd = 3; fd < 1024; fd++)
        if (fd != listener) close(fd);
    serve_one("but the listener", listener);
    for (int fd = 3; fd < 1024; fd++) close(fd);
    errno = 0;
    tell("accept", accept(listener, NULL, NULL));
    start_listening(0);
    serve_one("anew", listener);
}

static void becomes_a_daemon(void) {
    tell("daemon", daemon(1, 0));
    start_listening(0);
    serve_one("as a daemon", listener);
}

static void becomes_a_daemon_later(void) {
    start_listening(0);
    tell("daemon", daemon(1, 0));
    serve_one("as a daemon", listener);
}

/* As nginx and gunicorn do when they upgrade themselves. */
static void executes_itself(void) {
    char number[16];
    start_listening(0);
    listener = fcntl(listener, F_DUPFD, 20);
    snprintf(number, sizeof number, "%d", listener);
    execl("/proc/self/exe", "traps", "executed", number, NULL);
    die("exec");
}

static void executed(int fd) {
    say_what_it_is(fd);
    serve_one("after the exec", fd);
    tell("listen", listen(fd, 100));
    serve_one("after another listen", fd);
}

/* As a service manager hands listeners down: the number is known, the program only accepts. */
static void is_handed_down(void) {
    char number[16];
    int status = -1;
    start_listening(0);
    int fd = dup2(listener, 3) == 3 ? 3 : -1;
    fcntl(fd, F_SETFD, 0);
    snprintf(number, sizeof number, "%d", fd);
    setenv("LISTEN_FDS", "1", 1);
    setenv("EINHORN_FD_0", number, 1);
    pid_t child;
    char *arguments[] = {"traps", "handed_down", NULL};
    tell("spawn", posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ));
    waitpid(child, &status, 0);
    say("child ended %d\n", status);
}

static void handed_down(void) {
    int fd = atoi(getenv("EINHORN_FD_0"));
    if (strcmp(getenv("LISTEN_FDS"), "1") || fd != 3) exit(10);
    if (option(fd, SO_ACCEPTCONN) != 1 || option(fd, SO_TYPE) != SOCK_STREAM) exit(11);
    int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on)) exit(12);
    int client = dial(), served = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    if (!paired(client, served)) exit(13);
    /* Set by who has not listened, and inherited by what it accepts. */
    exit(option(served, SO_KEEPALIVE) == 1 ? 0 : 14);
}

/* As uvicorn does: the parent binds, the child listens. */
static void child_listens(void) {
    int fd = bound(), status = -1;
    pid_t child = fork();
    if (!child) {
        if (listen(fd, 100)) _exit(1);
        int client = dial();
        _exit(paired(client, accept(fd, NULL, NULL)) ? 0 : 2);
    }
    waitpid(child, &status, 0);
    say("child ended %d\n", status);
}

static void listens_by_a_copy(void) {
    int fd = bound(), copy = dup(fd), epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 7};
    fcntl(copy, F_SETFD, FD_CLOEXEC);
    tell("watch", epoll_ctl(epoll, EPOLL_CTL_ADD, copy, &event));
    tell("listen", listen(fd, 100));
    say_what_it_is(copy);
    say("cloexec %d and %d\n", fcntl(fd, F_GETFD), fcntl(copy, F_GETFD));
    int client = dial();
    tell("wait", epoll_wait(epoll, &event, 1, 5000));
    say("data %d, paired %d\n", (int)event.data.u64, paired(client, accept(copy, NULL, NULL)));
    close(client);
    serve_one("by the first", fd);
}

static volatile sig_atomic_t signals;
static volatile int signalled_fd = -1;

static void on_signal(int number, siginfo_t *info, void *unused) {
    (void)number;
    (void)unused;
    signals++;
    signalled_fd = info->si_fd;
}

static void storm(int flags, int microseconds) {
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | flags};
    struct itimerval often = {{0, microseconds}, {0, microseconds}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
}

/* accept() goes on waiting, whatever comes. */
static void signals_restart(void) {
    int status = -1;
    start_listening(0);
    pid_t child = fork();
    if (!child) {
        nanosleep(&(struct timespec){0, 100000000}, NULL);
        dial();
        _exit(0);
    }
    storm(SA_RESTART, 1000);
    int served = accept(listener, NULL, NULL), error = errno;
    storm(SA_RESTART, 0);
    say("served %d, errno %d, signals %d\n", served >= 0, served < 0 ? error : 0, signals > 10);
    waitpid(child, &status, 0);
}

/* Every call of a listener's life, amid signals. */
static void signals_interrupt(void) {
    int served = 0, interrupted = 0;
    storm(0, 300);
    for (int round = 0; round < 30; round++) {
        start_listening(0);
        int client = dial(), fd;
        while ((fd = accept(listener, NULL, NULL)) < 0 && errno == EINTR) interrupted++;
        served += paired(client, fd);
        close(client);
        close(fd);
        close(listener);
    }
    storm(0, 0);
    say("served %d\n", served);
}

/* It shares the memory and not the descriptors. */
static void vfork_child(void) {
    start_listening(SOCK_NONBLOCK);
    int status = -1;
    pid_t child = vfork();
    if (!child) {
        struct sockaddr_storage name;
        socklen_t length = sizeof name;
        int right = getsockname(listener, (struct sockaddr *)&name, &length) == 0 && length == own_length;
        right &= option(listener, SO_ACCEPTCONN) == 1;
        right &= accept(listener, NULL, NULL) == -1 && errno == EAGAIN;
        right &= listen(listener, 50) == 0;
        struct pollfd polled = {listener, POLLIN, 0};
        right &= poll(&polled, 1, 0) == 0;
        for (int fd = 3; fd < 64; fd++) close(fd);
        right &= accept(listener, NULL, NULL) == -1 && errno == EBADF;
        /* The number is another's now. */
        right &= socket(AF_INET, SOCK_DGRAM, 0) == 3;
        right &= accept(3, NULL, NULL) == -1;
        _exit(right ? 0 : 1);
    }
    waitpid(child, &status, 0);
    say("child ended %d\n", status);
    say_what_it_is(listener);
    int off = 0;
    tell("block", ioctl(listener, FIONBIO, &off));
    serve_one("by the parent", listener);
}

static void wait_for_signal(const char *what, int fd) {
    signals = 0;
    int client = dial();
    for (int turn = 0; turn < 5000 && !signals; turn++) nanosleep(&(struct timespec){0, 1000000}, NULL);
    int served = accept(listener, NULL, NULL);
    int arrived = signals, of = signalled_fd;
    say("%s: signalled %d, of the listener and %d, paired %d\n", what, arrived > 0, of - fd, paired(client, served));
    close(client);
    close(served);
}

/* Signals instead of a wait, asked for before listening and after it. */
static void signal_driven(void) {
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGRTMIN, &action, NULL);
    for (int early = 1; early >= 0; early--) {
        int on = 1, fd = bound();
        if (!early) tell("listen", listen(fd, 100));
        tell("own", fcntl(fd, F_SETOWN, getpid()));
        tell("signal", fcntl(fd, F_SETSIG, SIGRTMIN));
        tell("async", ioctl(fd, FIOASYNC, &on));
        if (early) tell("listen", listen(fd, 100));
        listener = fd;
        wait_for_signal(early ? "early" : "late", fd);
        say("flags %d\n", (fcntl(fd, F_GETFL) & O_ASYNC) != 0);
        close(fd);
    }
}

static void clears_its_environment(void) {
    char *path = strdup(getenv("TRAP_OUT"));
    clearenv();
    start_listening(0);
    say_what_it_is(listener);
    serve_one("without an environment", listener);
    setenv("TRAP_OUT", path, 1);
}

/* More clients than descriptors: who finds none waits, and is served once there is one. */
static void descriptors_run_out(void) {
    enum { CLIENTS = 40, LIMIT = 20 };
    int status = -1, served = 0, full = 0, open[CLIENTS], count = 0;
    start_listening(0);
    pid_t child = fork();
    if (!child) {
        int fds[CLIENTS], answered = 0;
        char byte;
        for (int i = 0; i < CLIENTS; i++) fds[i] = dial();
        for (int i = 0; i < CLIENTS; i++) answered += read(fds[i], &byte, 1) == 1;
        _exit(answered == CLIENTS ? 0 : 1);
    }
    struct rlimit few = {LIMIT, LIMIT};
    tell("limit", setrlimit(RLIMIT_NOFILE, &few));
    while (served < CLIENTS) {
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0) {
            open[count++] = fd;
            served++;
            continue;
        }
        if (errno != EMFILE) {
            say("accept: errno %d\n", errno);
            break;
        }
        full++;
        for (; count > 0; count--) {
            if (write(open[count - 1], "x", 1) != 1) say("write: errno %d\n", errno);
            close(open[count - 1]);
        }
    }
    for (; count > 0; count--)
        if (write(open[count - 1], "x", 1) != 1) say("write: errno %d\n", errno);
    waitpid(child, &status, 0);
    say("served %d, full %d, clients ended %d\n", served, full > 1, status);
}

static void listens_after_a_shutdown(void) {
    start_listening(0);
    tell("shutdown", shutdown(listener, SHUT_RDWR));
    tell("accept", accept(listener, NULL, NULL));
    say_what_it_is(listener);
    struct pollfd polled = {listener, POLLIN, 0};
    tell("poll", poll(&polled, 1, 0));
    tell("listen", listen(listener, 100));
    say_what_it_is(listener);
    serve_one("again", listener);
}

#include "traps_data.h"

static const struct { const char *name; void (*run)(void); } traps[] = {
#define TRAP(name) {#name, name}
    TRAP(no_standard_descriptors), TRAP(closes_everything), TRAP(becomes_a_daemon), TRAP(becomes_a_daemon_later),
    TRAP(executes_itself), TRAP(is_handed_down), TRAP(child_listens), TRAP(listens_by_a_copy), TRAP(signals_restart),
    TRAP(signals_interrupt), TRAP(vfork_child), TRAP(signal_driven), TRAP(clears_its_environment),
    TRAP(descriptors_run_out), TRAP(listens_after_a_shutdown), TRAP(reads_its_listener),
    TRAP(reads_its_listener_checked), TRAP(reads_its_listener_when_descriptors_run_out),
    TRAP(reads_before_constructors), TRAP(is_cancelled_in_read),
};

int main(int count, char **arguments) {
    if (count < 2) return 2;
    setup();
    if (!strcmp(arguments[1], "handed_down")) handed_down();
    if (!strcmp(arguments[1], "executed")) {
        executed(atoi(arguments[2]));
        end();
    }
    for (size_t i = 0; i < sizeof traps / sizeof *traps; i++) {
        if (strcmp(traps[i].name, arguments[1])) continue;
        traps[i].run();
        end();
    }
    return 5;
}
