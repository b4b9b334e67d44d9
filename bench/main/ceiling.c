/* What the machine can do at most: plain threads that share the list and hash, nothing else.
 * Usage: ceiling LIST THREADS, the list NUL-separated. Prints: seconds files bytes failures.
 * SPDX-License-Identifier: BSL-1.0 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hash_file.h"

struct work {
    char **paths;
    size_t count;
    size_t next; /* atomic: the first path that no thread has taken */
};

struct result {
    struct work *work;
    unsigned long long files, bytes, failures;
};

static void *hash_some(void *arg) {
    struct result *mine = arg;
    struct work *work = mine->work;
    unsigned char digest[HASH_BYTES];
    for (;;) {
        /* Relaxed: the index is all that is shared; the paths were there before the threads. */
        size_t i = __atomic_fetch_add(&work->next, 1, __ATOMIC_RELAXED);
        if (i >= work->count) return NULL;
        if (hash_file(work->paths[i], digest, &mine->bytes)) {
            mine->failures++;
        } else {
            mine->files++;
        }
    }
}

/* The text of the file, ended by a NUL of its own. */
static char *read_all(const char *path, size_t *length) {
    size_t capacity = 1 << 20;
    char *text = malloc(capacity + 1);
    FILE *file = fopen(path, "rb");
    *length = 0;
    while (text && file) {
        size_t got = fread(text + *length, 1, capacity - *length, file);
        *length += got;
        if (*length < capacity) break;
        capacity *= 2;
        text = realloc(text, capacity + 1);
    }
    if (!text || !file || ferror(file)) {
        perror(path);
        exit(2);
    }
    fclose(file);
    text[*length] = '\0';
    return text;
}

static char **split(char *text, size_t length, size_t *count) {
    char **paths = malloc((length + 1) * sizeof *paths);
    char *at = text;
    *count = 0;
    if (!paths) exit(2);
    while (at < text + length) {
        paths[(*count)++] = at;
        at += strlen(at) + 1;
    }
    return paths;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
    enum { MOST = 256 };
    struct work work = {NULL, 0, 0};
    struct result results[MOST], sum = {NULL, 0, 0, 0};
    pthread_t threads[MOST];
    size_t length;
    int count = argc == 3 ? atoi(argv[2]) : 0;
    int i;
    double began;

    if (count < 1 || count > MOST) {
        fprintf(stderr, "usage: ceiling LIST THREADS\n");
        return 2;
    }
    if (hash_prepare()) return 2;
    {
        char *text = read_all(argv[1], &length);
        work.paths = split(text, length, &work.count);
    }

    began = now();
    for (i = 0; i < count; i++) {
        results[i] = (struct result){&work, 0, 0, 0};
        if (pthread_create(&threads[i], NULL, hash_some, &results[i])) {
            fprintf(stderr, "ceiling: no thread\n");
            return 2;
        }
    }
    for (i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        sum.files += results[i].files;
        sum.bytes += results[i].bytes;
        sum.failures += results[i].failures;
    }
    printf("%.9f %llu %llu %llu\n", now() - began, sum.files, sum.bytes, sum.failures);
    return 0;
}
