/* epoll.c whose worker with the logical id SCRIBBLER fills its shared page of health again and again: with ones, with
   zeros, with noise, and with noise that looks as a page should and names threads that are others'. It says `scribbling`
   on stdout once it has found the page. */
#define main serve
#include "epoll.c"
#undef main
#include <stdint.h>

#define PAGE 4096

static uint64_t seed;

static uint64_t noise(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static char *find_page(void) {
    FILE *maps = fopen("/proc/self/maps", "r");
    if (!maps) die("maps");
    char line[512];
    unsigned long start = 0;
    while (fgets(line, sizeof line, maps)) {
        if (strstr(line, "memfd:clustermon-pulse") && sscanf(line, "%lx-", &start) == 1) break;
        start = 0;
    }
    fclose(maps);
    return (char *)start;
}

/* As the program's own page would be after long hangs of threads that it does not have. */
static void look_real(char *page) {
    uint32_t head[] = {0x486d6c63, 1, (uint32_t)getppid()};
    memcpy(page, head, sizeof head);
    for (char *record = page + 64; record < page + PAGE; record += 64) {
        uint64_t numbers[] = {noise() | 1, noise() % 3, noise(), noise(), noise()};
        uint32_t flags[] = {noise() % 2 ? 1 : (uint32_t)getppid(), 2, 1};
        memcpy(record, numbers, sizeof numbers);
        memcpy(record + sizeof numbers, flags, sizeof flags);
    }
}

static void *scribble(void *unused) {
    (void)unused;
    char *page;
    struct timespec pause = {0, 1000000};
    while (!(page = find_page())) nanosleep(&pause, NULL);
    printf("scribbling\n");
    fflush(stdout);
    for (unsigned turn = 0;; turn++) {
        /* Each kind stays for a while, so that several looks see it. */
        switch (turn / 256 % 4) {
        case 0:
            memset(page, 0xff, PAGE);
            break;
        case 1:
            memset(page, 0, PAGE);
            break;
        case 2:
            for (size_t at = 0; at < PAGE; at += 8) {
                uint64_t word = noise();
                memcpy(page + at, &word, 8);
            }
            break;
        default:
            look_real(page);
        }
        nanosleep(&pause, NULL);
    }
    return NULL;
}

int main(void) {
    const char *id = getenv("PROCESS_LOGICAL_ID"), *scribbler = getenv("SCRIBBLER");
    seed = 88172645463325252ULL + (uint64_t)getpid();
    pthread_t thread;
    if (id && scribbler && !strcmp(id, scribbler) && pthread_create(&thread, NULL, scribble, NULL)) die("thread");
    return serve();
}
