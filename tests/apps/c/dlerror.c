/* Says on stdout what dlerror() says before anything was looked up. */
#include <dlfcn.h>
#include <stdio.h>

int main(void) {
    const char *error = dlerror();
    puts(error ? error : "none");
    return 0;
}
