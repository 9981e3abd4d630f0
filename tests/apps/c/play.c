/* Plays sequences of calls on sockets, as PLAY_IN tells them, each in a process of its own, and writes to PLAY_OUT what
   every call answered, in words that are the same wherever it runs. */
#include "play.h"
#include "play_calls.h"
#include "play_data.h"

struct op {
    char name[16];
    int a, b, c, d;
};

enum { MOST_OPS = 256 };

static struct op ops[MOST_OPS];
static int op_count;

static void play(int from, int to);

static int play_fork(int at, int count) {
    if (is_child) {
        skip("a child already");
        return 0;
    }
    if (at + count >= op_count) count = op_count - at - 1;
    say("\n");
    parent = getpid();
    pid_t child = fork();
    if (!child) {
        is_child = 1;
        memcpy(inherited, here, sizeof here);
        play(at + 1, at + 1 + count);
        _exit(0);
    }
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    say("child ended %d", status);
    return count;
}

static void play(int from, int to) {
    for (int at = from; at < to; at++) {
        struct op *op = &ops[at];
        const char *name = op->name;
        say("%s%s %d %d %d %d:", is_child ? "  child " : "", name, op->a, op->b, op->c, op->d);
        int first = op->a >= 0 && op->a < SLOTS ? slots[op->a] : -1;
        if (is_abandoned(object_of(first))) settle(first);
        errno = 0;
        if (!strcmp(name, "socket")) play_socket(op->a, op->b, op->c);
        else if (!strcmp(name, "bind")) play_bind(op->a, op->b, op->c);
        else if (!strcmp(name, "listen")) play_listen(op->a, op->b);
        else if (!strcmp(name, "connect")) play_connect(op->a, op->b);
        else if (!strcmp(name, "connect_from")) play_connect_from(op->a, op->b);
        else if (!strcmp(name, "accept")) play_accept(op->a, op->b, op->c);
        else if (!strcmp(name, "poll")) play_poll(op->a, op->b);
        else if (!strcmp(name, "epoll")) play_epoll(op->a);
        else if (!strcmp(name, "ctl")) play_ctl(op->a, op->b, op->c, op->d);
        else if (!strcmp(name, "wait")) play_wait(op->a);
        else if (!strcmp(name, "dup")) play_dup(op->a, op->b, op->c);
        else if (!strcmp(name, "flag")) play_flag(op->a, op->b, op->c);
        else if (!strcmp(name, "name")) play_name(op->a, op->b, op->c);
        else if (!strcmp(name, "get")) play_get(op->a, op->b, op->c);
        else if (!strcmp(name, "set")) play_set(op->a, op->b, op->c, op->d);
        else if (!strcmp(name, "shutdown")) play_shutdown(op->a, op->b);
        else if (!strcmp(name, "close")) play_close(op->a);
        else if (!strcmp(name, "close_range")) play_close_range();
        else if (!strcmp(name, "unlink")) play_unlink(op->a, op->b);
        else if (!strcmp(name, "data")) play_data(op->a, op->b);
        else if (!strcmp(name, "fate")) play_fate(op->a);
        else if (!strcmp(name, "fork")) at += play_fork(at, op->a);
        else say(" unknown");
        say("\n");
    }
}

/* One sequence, in a process and a folder of its own. */
static void play_alone(void) {
    char folder[32];
    snprintf(folder, sizeof folder, "%u", sequence);
    if (mkdir(folder, 0700) || chdir(folder) || mkdir("folder", 0700)) _exit(4);
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    signal(SIGIO, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    close_range(3, ~0U, 0);
    memset(here, -1, sizeof here);
    memset(slots, -1, sizeof slots);
    play(0, op_count);
    _exit(0);
}

static void play_sequence(FILE *out) {
    struct timespec limit = {20, 0};
    sigset_t ended;
    int status = -1;
    memset(world, 0, offsetof(struct world, text));
    fflush(out);
    pid_t child = fork();
    if (!child) {
        setpgid(0, 0);
        play_alone();
    }
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    if (sigtimedwait(&ended, NULL, &limit) < 0) {
        kill(-child, SIGKILL);
        say(" HANGS\n");
    }
    waitpid(child, &status, 0);
    fprintf(out, "sequence %u\n%.*send %d\n", sequence, (int)world->length, world->text, status);
}

int main(void) {
    const char *in_path = getenv("PLAY_IN"), *out_path = getenv("PLAY_OUT"), *number = getenv("PORT");
    FILE *in = in_path ? fopen(in_path, "re") : NULL, *out = out_path ? fopen(out_path, "we") : NULL;
    if (!in || !out || !number) {
        fprintf(stderr, "PLAY_IN, PLAY_OUT and PORT are needed\n");
        return 2;
    }
    port = (unsigned)atoi(number);
    world = mmap(NULL, sizeof *world, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    sigset_t ended;
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    sigprocmask(SIG_BLOCK, &ended, NULL);
    char line[128];
    while (fgets(line, sizeof line, in)) {
        struct op op = {.name = ""};
        if (sscanf(line, "sequence %u", &sequence) == 1) {
            op_count = 0;
        } else if (!strncmp(line, "end", 3)) {
            play_sequence(out);
        } else if (op_count < MOST_OPS
                   && sscanf(line, "%15s %d %d %d %d", op.name, &op.a, &op.b, &op.c, &op.d) == 5) {
            ops[op_count++] = op;
        }
    }
    fclose(out);
    return 0;
}
