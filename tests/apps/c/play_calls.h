/* The player's calls: each makes one and says what it was answered. */
#ifndef PLAY_CALLS_H
#define PLAY_CALLS_H
#include "play.h"
#include "play_options.h"

enum { PATIENCE_MS = 3000 };

static pid_t parent;

static void on_alarm(int number) {
    (void)number;
}

/* Interrupts this process again and again, or no more. */
static void interrupt(int on) {
    struct itimerval often = {{0, on ? 2000 : 0}, {0, on ? 2000 : 0}};
    setitimer(ITIMER_REAL, &often, NULL);
}

/* What has been sent to a listener may take its time; to have arrived is the only difference that it may make. */
static void settle(int fd) {
    struct pollfd polled = {fd, POLLIN, 0};
    poll(&polled, 1, PATIENCE_MS);
}

/* A listener that another process made of a socket that this one had before. */
static int is_anothers(const struct object *object) {
    return object && object->listening && object->by != getpid() && !(is_child && object->by == parent);
}

static void skip(const char *why) {
    say(" skipped: %s", why);
}

static int is_nonblocking(int fd) {
    return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

static void play_socket(int slot, int kind, int flags) {
    static const int families[] = {AF_INET, AF_INET6, AF_UNIX, AF_INET};
    static const enum kind kinds[] = {TCP4, TCP6, UNIX, UDP};
    int type = (kind == 3 ? SOCK_DGRAM : SOCK_STREAM) | (flags & 1 ? SOCK_NONBLOCK : 0) | (flags & 2 ? SOCK_CLOEXEC : 0);
    int fd = socket(families[kind], type, 0);
    say_result(fd);
    make(fd, kinds[kind]);
    slots[slot] = fd;
}

static void play_bind(int slot, int where, int nowhere) {
    int fd = slots[slot], listening, listeners;
    struct object *object = object_of(fd);
    struct sockaddr_storage name;
    socklen_t length = address(where, &name);
    if (object && object->bound < 0 && where < OWN_ZERO && object->kind != UDP) {
        int others = bound_to(where, &listening, &listeners);
        if (where == PATH || where == LONG_PATH) {
            if (others || world->addresses[where].file) return skip("the path is taken");
        } else if (others) {
            int agreed = object->reuse_port && where < PATH;
            for (int i = 0; i < world->count; i++)
                if (world->objects[i].bound == where && is_live(i) && !world->objects[i].reuse_port) agreed = 0;
            if (!agreed) return skip("the address is taken");
        } else if (where < PATH && world->addresses[where].used) {
            if (!object->reuse_addr || world->addresses[where].plain) return skip("the address was in use");
        }
    }
    if (object && object->shut) return skip("it was shut down");
    if (nowhere) return say_result(bind(fd, nowhere == 1 ? NULL : (struct sockaddr *)16, length));
    int result = bind(fd, (struct sockaddr *)&name, length);
    /* Of several mistakes the kernel names one: of two families, another one. */
    if (result && object && object->listening) return say(" = refused");
    say_result(result);
    if (result || !object || where >= FIRST_BAD) return;
    object->bound = where;
    if (object->kind == UDP) return;
    world->addresses[where].used = 1;
    world->addresses[where].plain |= !object->reuse_addr;
    world->addresses[where].newest = index_of(object);
    world->addresses[where].file = where == PATH || where == LONG_PATH;
}

static void play_listen(int slot, int backlog) {
    static const int backlogs[] = {511, 8, -1, 128};
    int fd = slots[slot];
    struct object *object = object_of(fd);
    if (is_anothers(object)) return skip("another's listener");
    if (object && object->shut && object->kind == UNIX) return skip("it was shut down");
    int result = listen(fd, backlogs[backlog & 3]);
    say_result(result);
    if (result || !object) return;
    if (!object->listening) {
        object->by = getpid();
        object->pending = 0;
    }
    object->listening = 1;
    object->number = fd;
    object->shut = 0;
    if (object->bound < 0) return;
    world->addresses[object->bound].listened = 1;
    struct sockaddr_in name;
    socklen_t length = sizeof name;
    if (object->bound >= OWN_ZERO && !getsockname(fd, (struct sockaddr *)&name, &length)) object->port = name.sin_port;
}

/* Connected, or on its way: the listener gets it, and one byte that tells whose it is. */
static void connected(int fd, struct object *object, int target) {
    object->kind = CONNECTION;
    object->server = target;
    if (target < 0) return;
    world->objects[target].pending++;
    if (world->clients == CLIENTS) return;
    object->client = world->clients++;
    world->client_objects[object->client] = index_of(object);
    char mark = (char)('a' + object->client);
    struct pollfd polled = {fd, POLLOUT, 0};
    poll(&polled, 1, PATIENCE_MS);
    if (send(fd, &mark, 1, MSG_NOSIGNAL) != 1) say(" and is not to be written to: errno %d", errno);
}

/* To where, and whom, if anybody listens there. */
static int destination(int where, struct sockaddr_storage *name, socklen_t *length, const char **why) {
    int listening = -1, listeners = 0;
    *why = NULL;
    *length = address(where, name);
    if (where >= FIRST_BAD) return -1;
    bound_to(where, &listening, &listeners);
    if (where >= OWN_ZERO) {
        if (listening < 0) *why = "no port is known";
        else ((struct sockaddr_in *)name)->sin_port = world->objects[listening].port;
    } else if (listeners > 1) {
        *why = "several listen";
    } else if (listeners && where >= PATH && where != ABSTRACT) {
        if (!world->addresses[where].file) *why = "its file was removed";
        else if (world->addresses[where].newest != listening) *why = "another has its file";
    }
    if (listening >= 0 && world->objects[listening].pending >= 5) *why = "enough wait";
    if (listening >= 0 && is_anothers(&world->objects[listening])) *why = "another's listener";
    return listening;
}

static int family_of(const struct sockaddr_storage *name) {
    return name->ss_family == 77 ? AF_INET : name->ss_family;
}

static void play_connect(int slot, int where) {
    struct sockaddr_storage name;
    socklen_t length;
    const char *why;
    int target = destination(where, &name, &length, &why);
    if (why) return skip(why);
    int fd, result, gone = target < 0 && where < OWN_ZERO && world->addresses[where].listened;
    struct timespec begun, now;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    do {
        /* Who closes a listener is believed a little later where others may have it too. */
        fd = socket(family_of(&name), SOCK_STREAM, 0);
        result = connect(fd, (struct sockaddr *)&name, length);
        if (!gone) break;
        int error = errno;
        close(fd);
        /* Reset while it connects: let in, and not believed yet. */
        if (result && error != ECONNRESET) return say(error == ECONNREFUSED || error == ENOENT ? " = refused" : " = errno %d", error);
        nanosleep(&(struct timespec){0, 3000000}, NULL);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec - begun.tv_sec < 5);
    if (gone) return say(" = still accepted");
    say_result(result);
    struct object *object = make(fd, family_of(&name) == AF_UNIX ? UNIX : TCP4);
    slots[slot] = fd;
    if (!result) connected(fd, object, target);
}

/* A client whose listener went before it was accepted, which the kernel tells at once and a supervisor a little later. */
static int is_abandoned(const struct object *object) {
    if (!object || object->kind != CONNECTION || object->server < 0 || object->served) return 0;
    const struct object *server = &world->objects[object->server];
    return !is_live(object->server) || (server->shut && server->kind != UNIX);
}

static void play_connect_from(int slot, int where) {
    int fd = slots[slot];
    struct object *object = object_of(fd);
    struct sockaddr_storage name;
    socklen_t length;
    const char *why;
    int target = destination(where, &name, &length, &why);
    if (why) return skip(why);
    if (object && object->bound == where) return skip("to itself");
    if (object && object->shut) return skip("it was shut down");
    if (target < 0 && where < OWN_ZERO && world->addresses[where].listened) return skip("nobody listens any more");
    /* Of several mistakes the kernel names one: of two families, another one. */
    int vague = object && object->listening && object->kind == UNIX;
    int fits = object && (object->kind == TCP4 || object->kind == TCP6 || object->kind == UNIX) && !object->listening;
    int result = connect(fd, (struct sockaddr *)&name, length);
    if (vague && result) return say(" = refused");
    say_result(result);
    if (fits && (result == 0 || errno == EINPROGRESS)) connected(fd, object, target);
}

static void play_accept(int slot, int to, int how) {
    int fd = slots[slot];
    struct object *object = object_of(fd);
    struct sockaddr_storage peer;
    socklen_t room = how == 1 ? 16 : how == 2 ? 4 : how == 7 ? 0 : sizeof peer, length = room;
    int waits = 0;
    if (is_anothers(object)) return skip("another's listener");
    if (object && (object->kind == CONNECTION || object->kind == UDP)) return skip("another kind of socket");
    /* Who had connected may or may not be served yet. */
    if (object && object->shut && object->kind == UNIX) return skip("it was shut down");
    if (object && object->listening && how != 6) {
        if (object->pending && is_nonblocking(fd)) settle(fd);
        waits = !object->pending && !is_nonblocking(fd) && !object->timeout;
    }
    if (object && object->parted && !object->pending) return skip("it may be woken for nothing");
    if (object && is_child) object->parted = 1;
    memset(&peer, 0xee, sizeof peer);
    if (waits) interrupt(1);
    int result, tries = 0;
again:
    switch (how) {
    case 8:
        result = accept(fd, (struct sockaddr *)&peer, NULL);
        break;
    case 9:
        length = (socklen_t)-1;
        result = accept(fd, (struct sockaddr *)&peer, &length);
        break;
    case 1: case 2: case 3: case 7:
        result = accept(fd, (struct sockaddr *)&peer, &length);
        break;
    case 4:
        result = accept4(fd, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC);
        break;
    case 5:
        result = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        break;
    case 6:
        result = accept4(fd, NULL, NULL, 0x10000);
        break;
    default:
        result = accept(fd, NULL, NULL);
    }
    int error = errno;
    if (result < 0 && object && object->parted && object->pending && (error == EAGAIN || error == ECONNABORTED)
        && ++tries < 100) {
        settle(fd);
        goto again;
    }
    if (waits) interrupt(0);
    errno = error;
    say_result(result);
    /* Accepted all the same, and gone. */
    if (result < 0 && how >= 8 && object && object->listening && object->pending
        && (error == EFAULT || error == EINVAL)) {
        object->pending--;
        return;
    }
    if (result < 0) return;
    if (object) object->pending--;
    make(result, CONNECTION);
    slots[to] = result;
    struct pollfd polled = {result, POLLIN, 0};
    char mark = '?';
    poll(&polled, 1, PATIENCE_MS);
    long got = recv(result, &mark, 1, MSG_DONTWAIT);
    /* What waited at a child that has ended comes after those who came later. */
    char whose = object && object->parted && got == 1 ? '*' : got == 1 ? mark : '?';
    say(" of client %c%s", whose, is_nonblocking(result) ? " nonblock" : "");
    if (got == 1 && mark >= 'a' && mark < 'a' + CLIENTS) world->objects[world->client_objects[mark - 'a']].served = 1;
    if (fcntl(result, F_GETFD) & FD_CLOEXEC) say(" cloexec");
    if (how != 0 && how != 5) {
        say_name(&peer, length, room);
        /* Beyond what it was lent it writes nothing. */
        if (((unsigned char *)&peer)[room < length ? room : length] != 0xee && room < sizeof peer) say(" overrun");
    }
}

/* What of a wait's answer means the same: a listener that was shut down wakes who waits, in one way or another. */
static void say_events(int object, unsigned events) {
    if (object >= 0 && world->objects[object].shut) say(" %d:%s", object, events ? "woken" : "no");
    else say(" %d:%x", object, events);
}

/* For who may be about to wait for any of them. */
static void settle_all(void) {
    for (int i = 0; i < world->count; i++) {
        struct object *object = &world->objects[i];
        int fd = number_of(i);
        if (is_abandoned(object) && fd >= 0) settle(fd);
        if (object->listening && object->pending && fd >= 0 && !is_anothers(object)) settle(fd);
    }
}

static void play_poll(int slot, int how) {
    int fd = slots[slot];
    struct object *object = object_of(fd);
    if (fd < 0) return skip("nothing there");
    if (is_anothers(object)) return skip("another's listener");
    if (object && object->parted) return skip("it may be woken for nothing");
    int listener = object && (object->listening || object->shut);
    if (object && object->listening && object->pending) settle(fd);
    if (object && object->kind == EPOLL) settle_all();
    /* What stands for a listener can always be written to. */
    struct pollfd polled = {fd, POLLIN | POLLPRI | (listener ? 0 : POLLOUT), 0};
    if (how == 0) {
        int result = poll(&polled, 1, 0);
        say_result(result);
        return say_events(object ? index_of(object) : -1, polled.revents);
    }
    if (!object) return skip("select would take it for a mistake");
    fd_set in;
    FD_ZERO(&in);
    FD_SET(fd, &in);
    struct timeval none = {0, 0};
    say_result(select(fd + 1, &in, NULL, NULL, &none));
}

static void play_epoll(int slot) {
    int fd = epoll_create1(0);
    say_result(fd);
    make(fd, EPOLL);
    slots[slot] = fd;
}

static void play_ctl(int set, int slot, int what, int how) {
    static const int whats[] = {EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL};
    struct object *object = object_of(slots[slot]);
    if (is_anothers(object)) return skip("another's listener");
    struct epoll_event event = {.events = EPOLLIN | (how & 1 ? EPOLLONESHOT : 0) | (how & 2 ? EPOLLRDHUP : 0)};
    event.data.u64 = object ? (uint64_t)index_of(object) : 999;
    say_result(epoll_ctl(slots[set], whats[what % 3], slots[slot], &event));
}

static int by_data(const void *a, const void *b) {
    uint64_t left = ((const struct epoll_event *)a)->data.u64, right = ((const struct epoll_event *)b)->data.u64;
    return left < right ? -1 : left > right;
}

static void play_wait(int set) {
    struct epoll_event found[16], all[32];
    int count = 0, result = 0;
    settle_all();
    for (int turn = 0, dead = 1; dead; turn++) {
        result = epoll_wait(slots[set], found, 16, 0);
        dead = 0;
        for (int i = 0; i < result; i++) {
            uint64_t data = found[i].data.u64;
            int known = data < (uint64_t)world->count, seen = 0;
            if (!known || !is_live((int)data)) {
                dead = 1;
                continue;
            }
            for (int j = 0; j < count; j++) seen |= all[j].data.u64 == data;
            seen |= world->objects[data].parted;
            if (!seen && count < 32) all[count++] = found[i];
        }
        /* Somebody else has the listener that was closed here for a moment. */
        if (dead && turn == 600) {
            say(" a ghost");
            break;
        }
        if (dead) nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
    say_result(result < 0 ? result : count);
    qsort(all, (size_t)count, sizeof *all, by_data);
    for (int i = 0; i < count; i++) say_events((int)all[i].data.u64, all[i].events);
}

static void copied(int from, int to) {
    say_result(to);
    if (in_range(to) && in_range(from)) here[to] = here[from];
}

static void play_dup(int slot, int to, int how) {
    int fd = slots[slot], result;
    switch (how & 3) {
    case 0:
        result = dup(fd);
        break;
    case 1:
        result = fcntl(fd, F_DUPFD, 60);
        break;
    case 2:
        result = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        break;
    default:
        if (slots[to] < 3) return skip("nothing there");
        result = how & 4 ? dup3(fd, slots[to], O_CLOEXEC) : dup2(fd, slots[to]);
    }
    copied(fd, result);
    if (result >= 0) slots[to] = result;
}

static void play_flag(int slot, int which, int on) {
    int fd = slots[slot], flags;
    switch (which) {
    case 0:
        flags = fcntl(fd, F_GETFL);
        say_result(fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK));
        break;
    case 1:
        say_result(ioctl(fd, FIONBIO, &on));
        break;
    case 2:
        say_result(ioctl(fd, FIOASYNC, &on));
        break;
    case 3:
        say_result(fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0));
        break;
    default:
        say_result(fcntl(fd, F_GETFL));
        say_result(fcntl(fd, F_GETFD));
    }
}

static void play_name(int slot, int how, int peer) {
    static const socklen_t rooms[] = {sizeof(struct sockaddr_storage), 16, 4, 2, 0, 1};
    struct sockaddr_storage name;
    int fd = slots[slot];
    if (is_anothers(object_of(fd))) return skip("another's listener");
    socklen_t room = rooms[how % 6], length = room;
    memset(&name, 0xee, sizeof name);
    int result = peer ? getpeername(fd, (struct sockaddr *)&name, &length)
                      : getsockname(fd, (struct sockaddr *)(how == 7 ? NULL : &name), how == 8 ? NULL : &length);
    say_result(result);
    if (!result && how < 6) say_name(&name, length, room);
    if (((unsigned char *)&name)[room] != 0xee && room < sizeof name) say(" overrun");
}

static void play_shutdown(int slot, int how) {
    int fd = slots[slot];
    struct object *object = object_of(fd);
    if (is_anothers(object)) return skip("another's listener");
    int result = shutdown(fd, how);
    say_result(result);
    if (!result && object && object->kind == UNIX && how != SHUT_WR) object->shut = 1;
    if (result || !object || !object->listening || how == SHUT_WR) return;
    object->listening = 0;
    object->shut = 1;
    object->pending = 0;
}

static void play_close(int slot) {
    int fd = slots[slot];
    say_result(close(fd));
    if (in_range(fd)) here[fd] = -1;
}

static void play_close_range(void) {
    say_result(close_range(3, ~0U, 0));
    for (int fd = 3; fd < NUMBERS; fd++) here[fd] = -1;
}

static void play_unlink(int where, int how) {
    struct sockaddr_storage name;
    address(where, &name);
    /* The file through which others are reached stays. */
    if (!world->addresses[where].file && world->addresses[where].listened) return skip("it may have stayed");
    const char *path = ((struct sockaddr_un *)&name)->sun_path;
    int result = how == 0 ? unlink(path) : how == 1 ? remove(path) : unlinkat(AT_FDCWD, path, 0);
    /* A file whose listener has gone may have been tidied away. */
    if (result && errno == ENOENT && world->addresses[where].file) result = 0;
    say_result(result);
    if (!result) world->addresses[where].file = 0;
}

/* What has become of a connection. */
static void play_fate(int slot) {
    int fd = slots[slot];
    struct object *object = object_of(fd);
    char byte;
    if (!object || object->kind != CONNECTION) return skip("no connection");
    if (object->server >= 0 && world->objects[object->server].shut) return skip("its listener was shut down");
    int abandoned = is_abandoned(object);
    long got = recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    if (abandoned) return say(got == 0 || (got < 0 && errno == ECONNRESET) ? " ended" : " lives on");
    say_result(got);
}
#endif
