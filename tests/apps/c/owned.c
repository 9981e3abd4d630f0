/* A socket whose bind() succeeded because the cluster has the address: what becomes of it after exec, spawn and SCM_RIGHTS,
   and where the supervisor cannot be asked. One line for each on stdout; then it waits to be stopped. Only for workers. */
#include "listener.h"
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static int bound(void) {
    int fd = socket(own_address.ss_family, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&own_address, own_length)) die("bind");
    return fd;
}

static int is_named(int fd) {
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    return !getsockname(fd, (struct sockaddr *)&name, &length) && length == own_length
        && !memcmp(&name, &own_address, length);
}

static int listens(int fd) {
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) ? -1 : value;
}

/* In a process that may remember nothing. 0 if all is well. */
static int joins(int fd) {
    return listen(fd, 10) ? 1 : !is_named(fd) ? 2 : listens(fd) != 1 ? 3 : 0;
}

static void tell(const char *what, pid_t child) {
    int status = -1;
    waitpid(child, &status, 0);
    printf("%s: %d\n", what, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static void executed(int spawn) {
    char number[16];
    pid_t child = -1;
    snprintf(number, sizeof number, "%d", bound());
    char *arguments[] = {"owned", number, NULL};
    if (spawn) {
        if (posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ)) die("spawn");
    } else if (!(child = fork())) {
        execv("/proc/self/exe", arguments);
        _exit(9);
    }
    tell(spawn ? "spawned" : "executed", child);
}

static void passed(void) {
    int ends[2];
    char byte = 0, room[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) die("socketpair");
    /* It was there before the socket. */
    pid_t child = fork();
    if (!child) {
        int fd;
        if (recvmsg(ends[1], &message, 0) != 1) _exit(10);
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
        _exit(joins(fd));
    }
    int fd = bound();
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    if (sendmsg(ends[0], &message, 0) != 1) die("sendmsg");
    tell("passed", child);
}

/* EADDRINUSE, and no listener on a port that nobody asked for. */
static int is_refused(int fd) {
    setenv("CLUSTERMON_SOCKET", "clustermon-test-nobody-listens", 1);
    if (listen(fd, 10) == 0 || errno != EADDRINUSE) return 1;
    if (listens(fd) != 0) return 2;
    if (connect(fd, (struct sockaddr *)&own_address, own_length) == 0 || errno != EADDRINUSE) return 3;
    return 0;
}

static void not_asked(void) {
    pid_t child = fork();
    if (!child) _exit(is_refused(bound()));
    tell("not asked", child);
}

int main(int count, char **arguments) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    setup();
    if (count > 1) return joins(atoi(arguments[1]));
    const char *uid = getenv("BIND_AS_UID");
    start_listening(0);
    /* A port has an owner: for another user it is taken, by the kernel's rules. */
    if (uid && (setgid(atoi(uid)) || setuid(atoi(uid)))) die("setuid");
    executed(0);
    executed(1);
    passed();
    not_asked();
    printf("done\n");
    for (;;) pause();
}
