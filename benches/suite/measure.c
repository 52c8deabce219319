/* Runs a command and writes what it cost: `measure RESULT COMMAND ARGUMENT...`
 *
 * RESULT becomes one line: microseconds of user, system and wall time, peak resident memory in KiB, exit status.
 * It is a program of its own because a child inherits the peak of who started it: this one is as small as can be. */

#define _GNU_SOURCE
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long micros(struct timeval time) {
    return (long long)time.tv_sec * 1000000 + time.tv_usec;
}

int main(int argc, char **argv) {
    struct timespec begin, end;
    struct rusage cost;
    int status;
    if (argc < 3) return 2;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    pid_t child = fork();
    if (child < 0) return 2;
    if (child == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    if (wait4(child, &status, 0, &cost) != child) return 2;
    clock_gettime(CLOCK_MONOTONIC, &end);
    long long wall = (end.tv_sec - begin.tv_sec) * 1000000LL + (end.tv_nsec - begin.tv_nsec) / 1000;
    FILE *result = fopen(argv[1], "w");
    if (!result) return 2;
    fprintf(result, "%lld %lld %lld %ld %d\n", micros(cost.ru_utime), micros(cost.ru_stime), wall, cost.ru_maxrss,
            WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return fclose(result) ? 2 : 0;
}
