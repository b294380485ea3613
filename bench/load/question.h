// Questions of DNS as bytes, from a file of lines "NAME TYPE".
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    unsigned char bytes[96]; // for names of at most 60 bytes
    int length;
} question;

static const struct {
    const char *name;
    unsigned char number;
} types[] = {{"A", 1}, {"NS", 2}, {"CNAME", 5}, {"MX", 15}, {"TXT", 16}, {"AAAA", 28}};

static int encoded(char *name, const char *type, int edns, unsigned char *to) {
    unsigned char *at = mempcpy(to, "\0\0\1\0\0\1\0\0\0\0\0\0", 12);
    for (char *label = strtok(name, "."); label; label = strtok(0, ".")) {
        *at++ = strlen(label);
        at = mempcpy(at, label, strlen(label));
    }
    at = mempcpy(at, "\0\0\1\0\1", 5);
    for (unsigned i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(type, types[i].name))
            at[-3] = types[i].number;
    if (edns) {
        to[11] = 1;
        at = mempcpy(at, "\0\0\x29\4\xd0\0\0\0\0\0\0", 11);
    }
    return at - to;
}

// At most `most` questions of the file, and how many; null where it has none.
static question *read_questions(const char *file_name, int most, int edns, int *count) {
    char name[256], type[16];
    FILE *file = fopen(file_name, "r");
    question *read = calloc(most, sizeof *read);
    for (*count = 0; file && *count < most && fscanf(file, "%255s %15s", name, type) == 2; ++*count)
        read[*count].length = encoded(name, type, edns, read[*count].bytes);
    return *count ? read : 0;
}
