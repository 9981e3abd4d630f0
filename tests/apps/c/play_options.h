/* The player's getsockopt and setsockopt: which options, with which values and lengths. */
#ifndef PLAY_OPTIONS_H
#define PLAY_OPTIONS_H
#include "play.h"

static const struct { int level, name; } options[] = {
    {SOL_SOCKET, SO_TYPE},          {SOL_SOCKET, SO_DOMAIN},       {SOL_SOCKET, SO_PROTOCOL},
    {SOL_SOCKET, SO_ACCEPTCONN},    {SOL_SOCKET, SO_REUSEADDR},    {SOL_SOCKET, SO_REUSEPORT},
    {SOL_SOCKET, SO_KEEPALIVE},     {SOL_SOCKET, SO_RCVTIMEO},     {SOL_SOCKET, SO_SNDTIMEO},
    {SOL_SOCKET, SO_ERROR},         {SOL_SOCKET, SO_RCVBUF},       {SOL_SOCKET, SO_SNDBUF},
    {SOL_SOCKET, SO_BROADCAST},     {SOL_SOCKET, SO_PRIORITY},     {SOL_SOCKET, SO_LINGER},
    {SOL_SOCKET, SO_PEERCRED},      {SOL_SOCKET, SO_PASSCRED},     {SOL_SOCKET, SO_OOBINLINE},
    {SOL_SOCKET, 9999},             {IPPROTO_TCP, TCP_NODELAY},    {IPPROTO_TCP, TCP_INFO},
    {IPPROTO_TCP, TCP_MAXSEG},      {IPPROTO_TCP, TCP_KEEPIDLE},   {IPPROTO_TCP, TCP_KEEPINTVL},
    {IPPROTO_TCP, TCP_USER_TIMEOUT}, {IPPROTO_TCP, TCP_FASTOPEN},  {IPPROTO_TCP, TCP_QUICKACK},
    {IPPROTO_TCP, 9999},            {IPPROTO_IP, IP_TOS},          {IPPROTO_IP, IP_TTL},
    {IPPROTO_IPV6, IPV6_V6ONLY},    {IPPROTO_IPV6, IPV6_TCLASS},   {77, 1},
};

enum { OPTIONS = sizeof options / sizeof *options };

static int is_anothers(const struct object *object);
static void skip(const char *why);

static int is_option(int which, int level, int name) {
    return options[which].level == level && options[which].name == name;
}

static void say_value(int which, const unsigned char *value, socklen_t length, const struct object *object) {
    int number = 0;
    memcpy(&number, value, length < 4 ? length : 4);
    if (is_option(which, IPPROTO_TCP, TCP_INFO)) {
        if (length) say(" state %d", value[0]);
        return;
    }
    say(" length %u", length);
    /* Shared sockets of TCP have it, and what they accept. */
    if (is_option(which, SOL_SOCKET, SO_REUSEPORT) && object && !object->reuse_port) return;
    int grows = is_option(which, SOL_SOCKET, SO_RCVBUF) || is_option(which, SOL_SOCKET, SO_SNDBUF)
             || is_option(which, IPPROTO_TCP, TCP_MAXSEG) || is_option(which, IPPROTO_TCP, TCP_QUICKACK);
    if (grows && object && object->kind == CONNECTION) return;
    if (is_option(which, SOL_SOCKET, SO_PEERCRED)) {
        if (length >= 4) say(number == 0 ? " nobody" : number == getpid() ? " this process" : " another process");
        return;
    }
    for (socklen_t i = 0; i < length && i < 16; i++) say(" %02x", value[i]);
}

static void play_get(int slot, int which, int how) {
    static const socklen_t rooms[] = {4, 16, 256, 1, 0, 1024};
    unsigned char value[1024];
    int fd = slots[slot];
    which %= OPTIONS;
    socklen_t room = how == 6 ? (socklen_t)-1 : rooms[how % 6], length = room;
    if (is_anothers(object_of(fd))) return skip("another's listener");
    /* What was set before listen() has gone with the listener. */
    if (object_of(fd) && object_of(fd)->shut) return skip("it was shut down");
    memset(value, 0xee, sizeof value);
    errno = 0;
    int result = getsockopt(fd, options[which].level, options[which].name, how == 7 ? NULL : how == 9 ? (void *)16 : value,
                            how == 8 ? NULL : &length);
    say_result(result);
    if (!result && how < 6) say_value(which, value, length, object_of(fd));
    if (room < sizeof value && value[room] != 0xee) say(" overrun");
}

static void play_set(int slot, int which, int number, int how) {
    int fd = slots[slot];
    struct object *object = object_of(fd);
    which %= OPTIONS;
    if (is_anothers(object)) return skip("another's listener");
    if (object && object->shut) return skip("it was shut down");
    /* Which of two mistakes it names differs from option to option. */
    if (how == 4 && options[which].level == IPPROTO_IPV6) return skip("nothing for IPv6");
    int values[4] = {number, 0, 0, 0};
    struct timeval soon = {0, number ? 1000 : 0};
    int is_time = is_option(which, SOL_SOCKET, SO_RCVTIMEO) || is_option(which, SOL_SOCKET, SO_SNDTIMEO);
    /* Connections inherit these, and end by them otherwise than by the calls that are played. */
    if (is_option(which, SOL_SOCKET, SO_LINGER)) values[0] = 0;
    const void *value = is_time ? (void *)&soon : (void *)values;
    socklen_t length = how == 1 ? 3 : how == 2 ? 0 : how == 3 ? (socklen_t)-1 : is_time ? sizeof soon : 4;
    errno = 0;
    int result = setsockopt(fd, options[which].level, options[which].name, how == 4 ? NULL : how == 5 ? (void *)16 : value, length);
    say_result(result);
    if (result || !object) return;
    if (is_option(which, SOL_SOCKET, SO_REUSEADDR)) object->reuse_addr = number != 0;
    if (is_option(which, SOL_SOCKET, SO_REUSEPORT)) object->reuse_port = number != 0;
    if (is_option(which, SOL_SOCKET, SO_RCVTIMEO)) object->timeout = number != 0;
}
#endif
