/* What the player knows of its sockets: enough to tell where a call would wait for ever, where the answer is a matter of
   luck, and which connection comes next. It never decides whether an answer is right. */
#ifndef WORLD_H
#define WORLD_H
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 8, OBJECTS = 64, NUMBERS = 128, ADDRESSES = 14, CLIENTS = 16 };

enum kind { NOTHING, TCP4, TCP6, UNIX, UDP, EPOLL, CONNECTION };

struct object {
    enum kind kind;
    int bound;       /* index of the address, or -1 */
    int reuse_addr, reuse_port;
    int listening, shut;
    int by;          /* the process that listened */
    int number;      /* by which it listened last */
    int pending;     /* connected to it and not yet accepted */
    int parted;      /* a child has accepted, and may have got a lane of its own: who shared it may be woken for nothing */
    int timeout;     /* SO_RCVTIMEO is set */
    int client;      /* of a client: its number */
    int server;      /* of a client: the object that it connected to */
    int served;      /* of a client: it was accepted */
    in_port_t port;  /* of a listener on port 0 */
};

/* Shared by all processes of a sequence. */
struct world {
    struct object objects[OBJECTS];
    int count;
    int clients;
    int client_objects[CLIENTS];
    struct { int used, plain, listened, file, newest; } addresses[ADDRESSES];
    size_t length;
    char text[1 << 16];
};

static struct world *world;
/* Of this process: which object each descriptor is; those of the parent, which waits. */
static int here[NUMBERS], inherited[NUMBERS];
static int slots[SLOTS];
static int is_child;
static unsigned sequence, port;

static void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof world->text - world->length;
    int count = vsnprintf(world->text + world->length, room, format, arguments);
    if (count > 0) world->length += (size_t)count < room ? (size_t)count : room - 1;
    va_end(arguments);
}

/* The result of a call and what it said of an error. */
static void say_result(long result) {
    int error = errno;
    if (result >= 0) say(" = %ld", result);
    else say(" = -1 errno %d", error);
}

static int in_range(int fd) {
    return fd >= 0 && fd < NUMBERS;
}

static struct object *object_of(int fd) {
    return in_range(fd) && here[fd] >= 0 ? &world->objects[here[fd]] : NULL;
}

static int index_of(const struct object *object) {
    return (int)(object - world->objects);
}

static struct object *make(int fd, enum kind kind) {
    if (fd < 0) return NULL;
    if (!in_range(fd) || world->count == OBJECTS) _exit(3);
    here[fd] = world->count++;
    struct object *object = &world->objects[here[fd]];
    memset(object, 0, sizeof *object);
    object->kind = kind;
    object->bound = object->client = object->server = -1;
    return object;
}

static int is_live(int object) {
    for (int fd = 0; fd < NUMBERS; fd++)
        if (here[fd] == object || (is_child && inherited[fd] == object)) return 1;
    return 0;
}

/* The descriptor of this process for the object, or -1. */
static int number_of(int object) {
    for (int fd = 0; fd < NUMBERS; fd++)
        if (here[fd] == object) return fd;
    return -1;
}

/* How many live objects are bound to the address; the last listening one, if there is any, in `listening`. */
static int bound_to(int address, int *listening, int *listeners) {
    int count = 0;
    *listening = -1;
    *listeners = 0;
    for (int i = 0; i < world->count; i++) {
        if (world->objects[i].bound != address || !is_live(i)) continue;
        count++;
        if (world->objects[i].listening) {
            *listening = i;
            ++*listeners;
        }
    }
    return count;
}

/* 0 to 2: hosts of this sequence's own, the last as IPv6. 3, 4: unix paths, the second as long as can be. 5: an abstract
   name. 6: port 0 of loopback, each process's own. 7: port 0 of every host, the cluster's. 8 to 13: what cannot be. */
enum { PATH = 3, LONG_PATH = 4, ABSTRACT = 5, OWN_ZERO = 6, ANY_ZERO = 7, FIRST_BAD = 8 };

static socklen_t address(int index, struct sockaddr_storage *out) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    struct sockaddr_un *un = (struct sockaddr_un *)out;
    memset(out, 0, sizeof *out);
    uint32_t host = 127U << 24 | sequence << 2 | (index + 1);
    switch (index) {
    case 2:
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        v6->sin6_addr.s6_addr[10] = v6->sin6_addr.s6_addr[11] = 0xff;
        host = htonl(host);
        memcpy(&v6->sin6_addr.s6_addr[12], &host, 4);
        return sizeof *v6;
    case PATH:
    case LONG_PATH:
        un->sun_family = AF_UNIX;
        if (index == PATH) strcpy(un->sun_path, "a.sock");
        else memset(un->sun_path, 'x', sizeof un->sun_path - 1);
        return offsetof(struct sockaddr_un, sun_path) + strlen(un->sun_path) + 1;
    case ABSTRACT:
        un->sun_family = AF_UNIX;
        return offsetof(struct sockaddr_un, sun_path) + 1
             + snprintf(un->sun_path + 1, 60, "clustermon-play-%05u-%08u", port, sequence);
    case OWN_ZERO:
    case ANY_ZERO:
        v4->sin_family = AF_INET;
        v4->sin_addr.s_addr = htonl(index == OWN_ZERO ? INADDR_LOOPBACK : INADDR_ANY);
        return sizeof *v4;
    case 8: /* no host */
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        v4->sin_addr.s_addr = INADDR_BROADCAST;
        return sizeof *v4;
    case 9: /* too short */
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return 7;
    case 10: /* no such folder */
        un->sun_family = AF_UNIX;
        strcpy(un->sun_path, "none/a.sock");
        return sizeof *un;
    case 11: /* a path that is taken by a folder */
        un->sun_family = AF_UNIX;
        strcpy(un->sun_path, "folder");
        return offsetof(struct sockaddr_un, sun_path) + 7;
    case 12: /* the kernel picks an abstract name */
        un->sun_family = AF_UNIX;
        return 2;
    case 13: /* no such family */
        out->ss_family = 77;
        return sizeof *v4;
    default:
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        v4->sin_addr.s_addr = htonl(host);
        return sizeof *v4;
    }
}

/* A name of the kernel's, in words that are the same in every run. */
static void say_name(const struct sockaddr_storage *name, socklen_t length, socklen_t room) {
    say(" length %u", length);
    if (room < 2 || length < 2) return;
    say(" family %d", name->ss_family);
    if (room < length) return;
    for (int i = 0; i < FIRST_BAD; i++) {
        struct sockaddr_storage other;
        if (i != OWN_ZERO && i != ANY_ZERO && address(i, &other) == length && !memcmp(name, &other, length)) {
            say(" is %d", i);
            return;
        }
    }
    if (name->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)name;
        uint32_t host = ntohl(v4->sin_addr.s_addr);
        say(" host %s port %s", host == 0 ? "any" : host == INADDR_LOOPBACK ? "loopback" : "other",
            v4->sin_port == 0 ? "none" : ntohs(v4->sin_port) == port ? "fixed" : "some");
    } else if (name->ss_family == AF_INET6) {
        say(" port %s", ((const struct sockaddr_in6 *)name)->sin6_port == 0 ? "none" : "some");
    }
}
#endif
