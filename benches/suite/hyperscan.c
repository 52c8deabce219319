/* Hyperscan over whole blocks, and the captures of each hit by PCRE2: `hyperscan scan|captures HS PCRE LOG`
 *
 * HS and PCRE hold one pattern per line, for the same rules in the same order; in those of HS no class takes a
 * newline, so that no match crosses a line. One match counts per rule and line. Prints `rule count` for each rule
 * that was found. `captures` matches the line once more with the compiled PCRE2 pattern and reads its captures; `scan`
 * believes Hyperscan. Without arguments it prints its versions. */

#define _GNU_SOURCE
#define PCRE2_CODE_UNIT_WIDTH 8
#include <fcntl.h>
#include <hs/hs.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 256 * 1024, MOST = 4096 };

struct scan {
    const char *bytes;
    size_t length;
    unsigned long long offset; /* of `bytes` in the log */
    size_t begin, end;         /* of the line the last hit was in */
    int captures;
    pcre2_code *code[MOST];
    pcre2_match_data *found;
    unsigned long long seen[MOST]; /* 1 + offset of the last line that was looked at for this rule */
    unsigned long long hits[MOST];
    unsigned long long taken; /* bytes in captures, so that taking them can not be left out */
};

static void fail(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    exit(2);
}

/* The lines of a file; `count` is set. */
static char **patterns(const char *path, unsigned *count) {
    static char *lines[2][MOST];
    static int file;
    char **into = lines[file++];
    FILE *from = fopen(path, "r");
    if (!from) fail(path, "can not be read");
    size_t room = 0;
    ssize_t length;
    char *line = NULL;
    *count = 0;
    while ((length = getline(&line, &room, from)) > 0) {
        if (*count == MOST) fail(path, "has too many patterns");
        if (line[length - 1] == '\n') line[length - 1] = 0;
        into[(*count)++] = strdup(line);
    }
    free(line);
    fclose(from);
    return into;
}

static int hit(unsigned rule, unsigned long long from, unsigned long long to, unsigned flags, void *context) {
    struct scan *scan = context;
    (void)from;
    (void)flags;
    size_t at = to ? to - 1 : 0;
    if (at < scan->begin || at >= scan->end) {
        const char *before = memrchr(scan->bytes, '\n', at);
        const char *after = memchr(scan->bytes + at, '\n', scan->length - at);
        scan->begin = before ? before - scan->bytes + 1 : 0;
        scan->end = after ? (size_t)(after - scan->bytes) : scan->length;
    }
    unsigned long long line = scan->offset + scan->begin + 1;
    if (scan->seen[rule] == line) return 0;
    scan->seen[rule] = line;
    if (!scan->captures) {
        scan->hits[rule]++;
        return 0;
    }
    PCRE2_SPTR text = (PCRE2_SPTR)scan->bytes + scan->begin;
    int groups = pcre2_jit_match(scan->code[rule], text, scan->end - scan->begin, 0, 0, scan->found, NULL);
    if (groups <= 0) return 0;
    scan->hits[rule]++;
    PCRE2_SIZE *places = pcre2_get_ovector_pointer(scan->found);
    for (int group = 1; group < groups; group++) {
        if (places[2 * group] != PCRE2_UNSET) scan->taken += places[2 * group + 1] - places[2 * group];
    }
    return 0;
}

int main(int argc, char **argv) {
    static struct scan scan;
    static unsigned flags[MOST], ids[MOST];
    if (argc != 5) {
        char pcre[64];
        pcre2_config(PCRE2_CONFIG_VERSION, pcre);
        printf("Hyperscan %s, PCRE2 %s\n", hs_version(), pcre);
        return 0;
    }
    scan.captures = !strcmp(argv[1], "captures");
    unsigned count, others;
    char **fast = patterns(argv[2], &count);
    char **exact = patterns(argv[3], &others);
    if (others != count) fail(argv[3], "has not as many patterns as the other file");
    for (unsigned rule = 0; rule < count; rule++) {
        ids[rule] = rule;
        flags[rule] = HS_FLAG_MULTILINE | HS_FLAG_ALLOWEMPTY;
        if (!scan.captures) continue;
        int error;
        PCRE2_SIZE place;
        scan.code[rule] = pcre2_compile((PCRE2_SPTR)exact[rule], PCRE2_ZERO_TERMINATED, 0, &error, &place, NULL);
        if (!scan.code[rule]) fail(exact[rule], "is not a pattern of PCRE2");
        if (pcre2_jit_compile(scan.code[rule], PCRE2_JIT_COMPLETE)) fail(exact[rule], "has no JIT code");
    }
    scan.found = pcre2_match_data_create(64, NULL);

    hs_database_t *database;
    hs_compile_error_t *wrong;
    hs_scratch_t *scratch = NULL;
    if (hs_compile_multi((const char *const *)fast, flags, ids, count, HS_MODE_BLOCK, NULL, &database, &wrong))
        fail(wrong->expression >= 0 ? fast[wrong->expression] : argv[2], wrong->message);
    if (hs_alloc_scratch(database, &scratch)) fail("hyperscan", "has no memory");

    int log = open(argv[4], O_RDONLY);
    if (log < 0) fail(argv[4], "can not be read");
    size_t room = 2 * BLOCK, kept = 0;
    char *bytes = malloc(room);
    for (;;) {
        if (room - kept < BLOCK) bytes = realloc(bytes, room *= 2);
        if (!bytes) fail("hyperscan", "has no memory");
        ssize_t n = read(log, bytes + kept, BLOCK);
        if (n < 0) fail(argv[4], "can not be read");
        size_t length = kept + n;
        char *last = n ? memrchr(bytes, '\n', length) : NULL;
        /* At the end of the log its last line counts though nothing ends it. */
        size_t whole = n ? (last ? (size_t)(last - bytes) + 1 : 0) : length;
        scan.bytes = bytes;
        scan.length = whole;
        scan.begin = scan.end = 0;
        if (whole && hs_scan(database, bytes, whole, 0, scratch, hit, &scan)) fail("hyperscan", "gave up");
        scan.offset += whole;
        kept = length - whole;
        memmove(bytes, bytes + whole, kept);
        if (!n) break;
    }
    for (unsigned rule = 0; rule < count; rule++) {
        if (scan.hits[rule]) printf("%u %llu\n", rule, scan.hits[rule]);
    }
    fprintf(stderr, "%llu bytes in captures\n", scan.taken);
    return 0;
}
