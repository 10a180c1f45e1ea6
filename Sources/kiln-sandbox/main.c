// SPDX-License-Identifier: Apache-2.0
//
// kiln-sandbox: runs one command in a sandbox. Started by the engine, which passes descriptors as launch.h says; its
// other uses prepare for that.

#include <stdio.h>
#include <string.h>

#include "filter.h"
#include "identity.h"
#include "launch.h"
#include "probe.h"

int main(int count, char **arguments) {
    if (count == 1) launch();
    if (count == 3 && strcmp(arguments[1], "--compile-seccomp") == 0) compile_filter(arguments[2]);
    if (count == 2 && strcmp(arguments[1], "--probe") == 0) probe();
    if (count >= 4 && strcmp(arguments[1], "--enter-userns") == 0 && strcmp(arguments[2], "--") == 0)
        enter_user_namespace(arguments + 3);
    fprintf(
        stderr,
        "usage: kiln-sandbox (as started by kiln)\n"
        "       kiln-sandbox --compile-seccomp step|frontend\n"
        "       kiln-sandbox --probe\n"
        "       kiln-sandbox --enter-userns -- PROGRAM [ARGUMENT...]\n"
    );
    return 2;
}
