// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A kernel build, of a tree whose Makefile has the targets that a kernel's has: some files are
 * compiled, one of them is patched by a number that is another for each fault, which makes the
 * others old. The objects of one build are those that the next starts from.
 */
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/inject/faults.h"

#define FILES	8
#define DIGITS	5
#define CHANGED "changed_"

static const char makefile[] =
	".DELETE_ON_ERROR:\n"
	"objects := $(patsubst %.c,$(O)/%.o,$(sort $(wildcard *.c)))\n"
	"allnoconfig:\n\tgrep ^CONFIG_ $$KCONFIG_ALLCONFIG >$(O)/.config\n"
	"olddefconfig:\n\ttrue\n"
	"$(O)/%.o: %.c last.c\n\t@echo '  CC      $<'\n\tgcc -O2 -c -o $@ $<\n"
	"bzImage: $(objects)\n"
	"\tmkdir -p $(O)/arch/x86/boot $(O)/include/config\n"
	"\techo 5.10.1 >$(O)/include/config/kernel.release\n"
	"\tgcc -shared -nostdlib -Wl,--build-id=sha1 -o $(O)/vmlinux $^\n"
	"\tcat $^ >$(O)/arch/x86/boot/bzImage\n"
	"\techo 0 A start >$(O)/System.map\n";

static char *reference; /* bzImage of number 0 */
static size_t reference_len;
static unsigned long number;

static int put(const char *name, const char *text)
{
	HB_FREE char *path = hb_strf("%s/%s", site.top, name);
	HB_FREE char *dir = path ? strndup(path, strrchr(path, '/') - path) : NULL;

	return dir && !hb_mkdir_all(dir) ? hb_file_write_atomic(path, text, strlen(text)) : -ENOMEM;
}

/* Something that takes a compiler a while. */
static int put_file(unsigned int i)
{
	HB_FREE char *name = hb_strf("tree/f%u.c", i);
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	int rc;

	if (!f || !name)
		return -ENOMEM;
	for (unsigned int j = 0; j < 60; j++)
		fprintf(f,
			"int f%u_%u(int *a, int n)\n{\n\tint s = 0;\n\n\tfor (int i = 0; i < n; "
			"i++)\n\t\ts += a[i] * %u + (a[i] >> 3);\n\treturn s;\n}\n",
			i, j, j);
	rc = fclose(f) ? -ENOMEM : put(name, text);
	free(text);
	return rc;
}

static void reset(unsigned long n)
{
	HB_FREE char *patch = hb_strf("--- a/last.c\n+++ b/last.c\n@@ -1,2 +1,2 @@\n int first;\n"
				      "-int second;\n+int " CHANGED "%0*lu;\n",
				      DIGITS, n);

	number = n;
	if (patch)
		put("kernels/change.patch", patch);
}

static pid_t start(void)
{
	return start_hugebench(false, (const char *const[]){"kernels", "quick", NULL});
}

/* manifest.json of every kernel. */
static json_t *finished(void)
{
	HB_FREE char *pattern = hb_strf("%s/hugebench/kernels/*/manifest.json", site.cache);
	json_t *all = json_object();
	glob_t g = {0};

	if (pattern && !glob(pattern, 0, NULL, &g))
		for (size_t i = 0; i < g.gl_pathc; i++) {
			HB_FREE char *text = NULL;

			if (!hb_file_read(g.gl_pathv[i], &text, NULL))
				json_object_set_new(all, g.gl_pathv[i], json_string(text));
		}
	globfree(&g);
	return all;
}

/* The image that the last words of the output name; owned by the caller. */
static char *image(size_t *len)
{
	HB_FREE char *text = output(), *path = NULL;
	const char *end = strstr(text, "/bzImage "), *begin;
	char *content = NULL;

	for (const char *next = end; next; next = strstr(next + 1, "/bzImage "))
		end = next;
	for (begin = end; begin && begin > text && begin[-1] != ' ';)
		begin--;
	path = end ? strndup(begin, end - begin + strlen("/bzImage")) : NULL;
	return path && !hb_file_read(path, &content, len) ? content : NULL;
}

static int prepare(struct ground *g)
{
	int rc = put("tree/Makefile", makefile) ?: put("tree/last.c", "int first;\nint second;\n");

	for (unsigned int i = 0; i < FILES && !rc; i++)
		rc = put_file(i);
	if (!rc)
		rc = put("kernels/quick.config", "CONFIG_A=y\n");
	if (!rc)
		rc = put("kernels/quick.ini",
			 "[kernel]\ndescription = for the test\ntree = ../tree\n"
			 "fragments = quick.config\npatches = change.patch\n");
	if (rc || undisturbed(g))
		return -1;
	reference = image(&reference_len);
	return reference ? 0 : -1;
}

/* @n in place of the number 0. */
static void renumber(char *bytes, size_t len, unsigned long n)
{
	char digits[DIGITS + 1];
	char *at = memmem(bytes, len, CHANGED, strlen(CHANGED));

	snprintf(digits, sizeof(digits), "%0*lu", DIGITS, n % 100000);
	if (at)
		memcpy(at + strlen(CHANGED), digits, DIGITS);
}

static void check(struct fault *f)
{
	HB_FREE char *work = hb_strf("%s/hugebench/work", site.cache);
	HB_FREE char *made = NULL, *wanted = malloc(reference_len);
	size_t len = 0;

	made = image(&len);
	if (!wanted)
		return;
	memcpy(wanted, reference, reference_len);
	renumber(wanted, reference_len, number);
	if (!made || len != reference_len || memcmp(made, wanted, len))
		complain(f, "the kernel is not that of an undisturbed build (%zu bytes of %zu)",
			 len, reference_len);
	if (!access(work, F_OK) && rmdir(work))
		complain(f, "%s is not empty", work);
}

struct ground ground_build = {
	.prepare = prepare,
	.reset = reset,
	.start = start,
	.finished = finished,
	.check = check,
	.below = "cache",
	.rare = true,
};
