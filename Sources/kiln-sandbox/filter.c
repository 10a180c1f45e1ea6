// SPDX-License-Identifier: Apache-2.0

#include "filter.h"

#include <errno.h>
#include <json-c/json.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "report.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define INSTRUCTIONS_MAX 4096
// System calls from this number on are the same on all architectures.
#define FIRST_COMMON_NUMBER 424
#define EXTRA_NUMBERS_MAX 64

// The rules are part of the program, so that the two never differ.
#define EMBED(symbol, file)                                                                                 \
    __asm__(".pushsection .rodata\n.global " #symbol "\n" #symbol ":\n.incbin \"" file "\"\n.byte 0\n.popsection\n"); \
    extern const char symbol[]

EMBED(step_rules, "profiles/step.json");
EMBED(frontend_rules, "profiles/frontend.json");

static json_object *member(json_object *object, const char *key) {
    json_object *value;
    if (!json_object_object_get_ex(object, key, &value)) fail(EINVAL, "read", "the key %s of the rules", key);
    return value;
}

static const char *text(json_object *object, const char *key) { return json_object_get_string(member(object, key)); }
static int64_t number(json_object *object, const char *key) { return json_object_get_int64(member(object, key)); }

// MARK: Rules

static void add_architectures(scmp_filter_ctx context, json_object *rules) {
    struct utsname machine;
    if (uname(&machine) < 0) fail(errno, "name", "this machine");
    json_object *names = member(member(rules, "architectures"), machine.machine);
    for (size_t i = 0; i < json_object_array_length(names); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(names, i));
        int error = seccomp_arch_add(context, seccomp_arch_resolve_name(name));
        if (error < 0 && error != -EEXIST) fail(-error, "add", "the architecture %s", name);
    }
}

// Adds a rule on each architecture that has the call; a call the library does not know is left to `numbers`.
static void add(scmp_filter_ctx context, uint32_t action, const char *name, const struct scmp_arg_cmp *compare) {
    int call = seccomp_syscall_resolve_name(name);
    if (call == __NR_SCMP_ERROR) return;
    int error = seccomp_rule_add_array(context, action, call, compare != NULL, compare);
    // A call that this machine's architectures do not have, or that may do as it likes already.
    if (error < 0 && error != -EDOM && error != -EACCES) fail(-error, "add", "a rule for %s", name);
}

static struct scmp_arg_cmp comparison(json_object *rule) {
    const char *compare = text(rule, "compare");
    struct scmp_arg_cmp result = {.arg = (unsigned)number(rule, "argument")};
    uint64_t value = json_object_get_uint64(member(rule, "value"));
    if (strcmp(compare, "maskedZero") == 0) {
        result.op = SCMP_CMP_MASKED_EQ;
        result.datum_a = value;
        return result;
    }
    result.datum_a = value;
    if (strcmp(compare, "equal") == 0)
        result.op = SCMP_CMP_EQ;
    else if (strcmp(compare, "less") == 0)
        result.op = SCMP_CMP_LT;
    else if (strcmp(compare, "greater") == 0)
        result.op = SCMP_CMP_GT;
    else
        fail(EINVAL, "read", "the comparison %s", compare);
    return result;
}

static void add_rules(scmp_filter_ctx context, json_object *rules) {
    json_object *allow = member(rules, "allow");
    for (size_t i = 0; i < json_object_array_length(allow); i++)
        add(context, SCMP_ACT_ALLOW, json_object_get_string(json_object_array_get_idx(allow, i)), NULL);
    json_object *conditional = member(rules, "conditional");
    for (size_t i = 0; i < json_object_array_length(conditional); i++) {
        json_object *rule = json_object_array_get_idx(conditional, i);
        struct scmp_arg_cmp compare = comparison(rule);
        add(context, SCMP_ACT_ALLOW, text(rule, "name"), &compare);
    }
    json_object *refuse = member(rules, "refuse");
    for (size_t i = 0; i < json_object_array_length(refuse); i++) {
        json_object *rule = json_object_array_get_idx(refuse, i);
        add(context, SCMP_ACT_ERRNO((uint32_t)number(rule, "errno")), text(rule, "name"), NULL);
    }
}

static scmp_filter_ctx build(json_object *rules) {
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ERRNO((uint32_t)number(rules, "defaultErrno")));
    if (context == NULL) fail(ENOMEM, "make", "a filter");
    bool kills = strcmp(text(rules, "otherArchitectures"), "kill") == 0;
    seccomp_attr_set(
        context, SCMP_FLTATR_ACT_BADARCH, kills ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO((uint32_t)number(rules, "defaultErrno"))
    );
    // A binary tree: the kernel runs the filter once for every call when it is loaded.
    seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    add_architectures(context, rules);
    add_rules(context, rules);
    return context;
}

// MARK: Calls newer than the library

// Instructions that go first: a call above the newest number we have heard of does not exist (so that programs fall
// back), and calls the library has not heard of are allowed by number. On x86-64 this also ends the x32 variants.
static size_t write_prologue(json_object *rules, struct sock_filter *out) {
    uint32_t extra[EXTRA_NUMBERS_MAX];
    size_t count = 0;
    json_object_object_foreach(member(rules, "numbers"), name, value) {
        int64_t call = json_object_get_int64(value);
        if (call < FIRST_COMMON_NUMBER || count == COUNT(extra)) fail(EINVAL, "read", "the number of %s", name);
        if (seccomp_syscall_resolve_name(name) == __NR_SCMP_ERROR) extra[count++] = (uint32_t)call;
    }
    size_t n = 0;
    unsigned char rest = (unsigned char)count;
    out[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
#if defined(__aarch64__)
    // 32-bit ARM has private calls far above: they are the library's affair.
    out[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0xf0000, (unsigned char)(rest + 1), 0);
#endif
    out[n++] = (struct sock_filter)BPF_JUMP(
        BPF_JMP | BPF_JGT | BPF_K, (uint32_t)number(rules, "newestNumber"), (unsigned char)(rest + 1), 0
    );
    for (size_t i = 0; i < count; i++)
        out[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, extra[i], (unsigned char)(rest - i + 1), 0);
    out[n++] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 2);
    out[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
    out[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    return n;
}

static size_t export_filter(scmp_filter_ctx context, struct sock_filter *out, size_t capacity) {
    int file = memfd_create("filter", MFD_CLOEXEC);
    if (file < 0) fail(errno, "make", "a memory file");
    int error = seccomp_export_bpf(context, file);
    if (error < 0) fail(-error, "compile", "the filter");
    ssize_t n = pread(file, out, capacity * sizeof *out, 0);
    if (n <= 0 || n == (ssize_t)(capacity * sizeof *out)) fail(EFBIG, "compile", "the filter");
    close(file);
    return (size_t)n / sizeof *out;
}

void compile_filter(const char *profile) {
    const char *source = strcmp(profile, "step") == 0 ? step_rules : strcmp(profile, "frontend") == 0 ? frontend_rules : NULL;
    if (source == NULL) fail(EINVAL, "compile", "the profile %s, which is not known", profile);
    json_object *rules = json_tokener_parse(source);
    if (rules == NULL) fail(EINVAL, "read", "the rules of %s", profile);
    static struct sock_filter program[INSTRUCTIONS_MAX];
    size_t count = write_prologue(rules, program);
    count += export_filter(build(rules), program + count, COUNT(program) - count);
    size_t bytes = count * sizeof program[0];
    if (write(1, program, bytes) != (ssize_t)bytes) fail(errno, "write", "the filter");
    _exit(0);
}
