#include "text.h"

#include <stdio.h>
#include <string.h>

/* reverse [-o FILE] WORD... */
int main(int argc, char **argv)
{
    FILE *out = stdout;
    int first = 1;

    if (argc > 2 && strcmp(argv[1], "-o") == 0) {
        out = fopen(argv[2], "w");
        if (out == NULL) {
            perror(argv[2]);
            return 1;
        }
        first = 3;
    }
    for (int i = first; i < argc; i++) {
        text_reverse(argv[i]);
        fprintf(out, "%s\n", argv[i]);
    }
    return fclose(out) == 0 ? 0 : 1;
}
