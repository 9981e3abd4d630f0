/* The listening socket of the C programs, made as the environment says. */
#ifndef LISTENER_H
#define LISTENER_H
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int listener = -1;      /* -1 while closed */
static struct sockaddr_storage own_address;
static socklen_t own_length;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void parse_address(void) {
    const char *path = getenv("UNIX_PATH");
    if (path && *path) {
        struct sockaddr_un *un = (struct sockaddr_un *)&own_address;
        size_t length = strlen(path);
        if (length >= sizeof un->sun_path) {
            fprintf(stderr, "UNIX_PATH is too long\n");
            exit(1);
        }
        un->sun_family = AF_UNIX;
        memcpy(un->sun_path, path, length);
        own_length = offsetof(struct sockaddr_un, sun_path) + length + 1;
        if (*path == '@') {
            un->sun_path[0] = 0;
            own_length--;
        }
        return;
    }
    const char *host = getenv("HOST"), *port = getenv("PORT");
    if (!host) host = "127.0.0.1";
    in_port_t number = htons(port ? atoi(port) : 8080);
    struct sockaddr_in *v4 = (struct sockaddr_in *)&own_address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&own_address;
    if (*host && inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = number;
        own_length = sizeof *v4;
    } else if (inet_pton(AF_INET6, *host ? host : "::", &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = number;
        own_length = sizeof *v6;
    } else {
        fprintf(stderr, "HOST is no address: %s\n", host);
        exit(1);
    }
}

/* Listens on the address of the environment, or, later, on the one it had. */
static void start_listening(int flags) {
    /* As newer Go makes its listeners. */
    int protocol = getenv("MPTCP") ? 262 : 0;
    int fd = socket(own_address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | flags, protocol), on = 1;
    if (fd < 0) die("socket");
    if (own_address.ss_family != AF_UNIX) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&own_address, own_length)) die("bind");
    if (listen(fd, 511)) die("listen");
    listener = fd;
}

static void setup(void) {
    signal(SIGPIPE, SIG_IGN);
    const char *idle = getenv("IDLE_FDS"), *uid = getenv("RUN_AS_UID");
    for (int left = idle ? atoi(idle) : 0; left > 0; left--)
        if (open("/dev/null", O_RDONLY) < 0) die("IDLE_FDS");
    if (uid) {
        int id = atoi(uid);
        if (setgroups(0, NULL) || setgid(id) || setuid(id)) die("RUN_AS_UID");
    }
    parse_address();
}
#endif
