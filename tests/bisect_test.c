// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `hugebench bisect` on a tree of twenty commits, one of which is slow. Git, its search and the
 * builds are real, of a tree whose Makefile takes no time; the run that measures a commit is made
 * up of what its code.c says: own_run_show() is replaced.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/build/kernel.h"
#include "bench/commands/commands.h"
#include "bench/commands/own_run.h"
#include "bench/host/child.h"
#include "tests/leftovers.h"
#include "tests/put.h"
#include "tests/synthetic.h"

#define COMMITS 20
#define SLOW	13 /* the first slow one */
/* In which an interrupted search is over, on a loaded machine too. */
#define GRACE_NS (5 * NSEC_PER_SEC)

static const char makefile[] =
	"allnoconfig:\n\tgrep ^CONFIG_ $$KCONFIG_ALLCONFIG >$(O)/.config\n"
	"olddefconfig:\n"
	"bzImage:\n"
	"\tmkdir -p $(O)/arch/x86/boot $(O)/include/config\n"
	"\techo 5.10.1 >$(O)/include/config/kernel.release\n"
	"\tgcc -shared -nostdlib -Wl,--build-id=sha1 -o $(O)/vmlinux code.c\n"
	"\tcp code.c $(O)/arch/x86/boot/bzImage\n"
	"\techo 0 A start >$(O)/System.map\n";

static char root[] = "/tmp/hb-bisect-test-XXXXXX";
static char self[4096];

int __wrap_own_run_show(const struct own_run_args *a, const char *name, own_run_print print);

/* What the kernel's code says: how fast a boot of it is, whether it hangs. */
static int read_code(const char *place, double *speed, bool *hangs, struct hb_error *e)
{
	HB_FREE char *code = NULL;
	struct kernel k;
	int rc = kernel_resolve(place, &k, e);

	if (rc)
		return rc;
	rc = hb_file_read(k.bzimage, &code, NULL);
	kernel_free(&k);
	if (rc)
		return rc;
	*hangs = strstr(code, "hangs");
	return sscanf(code, "int speed = %lf", speed) == 1 ? 0 : -EBADMSG;
}

int __wrap_own_run_show(const struct own_run_args *a, const char *name, own_run_print print)
{
	HB_FREE char *dir = hb_strf("%s/run", getenv("BISECT_TEST"));
	struct synthetic s = {.dir = dir,
			      .name = name,
			      .mode = "exact",
			      .kernels = {"place"},
			      .tasks = {1},
			      .boots = 1};
	struct hb_error e = {.text = ""};
	struct load_run *run = NULL;
	bool hangs = false;
	int rc;

	/* Each option that was given reaches each run. */
	assert_string_equal(a->options[0], "repeat=1");
	assert_string_equal(a->options[1], "insn=1000000");
	assert_null(a->options[2]);
	rc = read_code(a->kernels, &s.speed, &hangs, &e);

	if (hangs)
		s.hang_kernel = "place";
	if (!rc)
		rc = synthetic_write(&s);
	if (!rc)
		rc = load_open(dir, &run, &e);
	if (!rc)
		rc = print(run, &e);
	load_free(run);
	if (rc)
		fprintf(stderr, "%s %s\n", strerror(-rc), e.text);
	return rc ? EXIT_HOST : EXIT_OK;
}

static void git(const char *command, ...)
{
	HB_FREE char *words = NULL, *line = NULL;
	char *argv[] = {"sh", "-c", NULL, NULL};
	va_list args;

	va_start(args, command);
	assert_true(vasprintf(&words, command, args) >= 0);
	va_end(args);
	line = hb_strf("cd %s/tree && git -c user.name=t -c user.email=t@example -c "
		       "init.defaultBranch=main %s >/dev/null 2>&1",
		       root, words);
	argv[2] = line;
	if (child_do(argv, -1))
		fail_msg("git %s", words);
}

/* Commits 1 to COMMITS, tagged c1, c2, ...; two do not build, one hangs, about the slow one. */
static void make_tree(void)
{
	put_file(makefile, "%s/tree/Makefile", root);
	git("init");
	for (int i = 1; i <= COMMITS; i++) {
		const char *more = i == 10 || i == SLOW + 1 ? "#error no\n"
				   : i == 15		    ? "/* hangs */\n"
							    : "";
		HB_FREE char *code = hb_strf("int speed = %d;\nint commit = %d;\n%s",
					     i < SLOW ? 10000 : 8000, i, more);

		put_file(code, "%s/tree/code.c", root);
		git("add .");
		git("commit -m 'change %d'", i);
		git("tag c%d", i);
	}
}

static int setup(void **state)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	HB_FREE char *cache = NULL;

	(void)state;
	if (n < 0 || !mkdtemp(root))
		return -1;
	cache = hb_strf("%s/cache", root);
	setenv("XDG_CACHE_HOME", cache, 1);
	setenv("BISECT_TEST", root, 1);
	unsetenv("CC");
	unsetenv("LLVM");
	unsetenv("KEEP");
	make_tree();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return hb_remove_all(root);
}

/* What `hugebench bisect` of @figure prints in directory @where; owned by the caller. */
static char *bisect_in(const char *where, const char *figure, const char *good, const char *bad,
		       int status)
{
	HB_FREE char *directory = hb_strf("%s/%s", root, where);
	char *argv[] = {self, "bisect",	      "-s", "exact",	    "-o",	  "repeat=1",
			"-o", "insn=1000000", "-m", (char *)figure, (char *)good, (char *)bad,
			NULL};
	char *out = NULL;
	int got = child_capture(&(struct child){.directory = directory}, argv, &out);

	if (got != status)
		fail_msg("exit %d, wanted %d:\n%s", got, status, out);
	return out;
}

static char *bisect(const char *figure, const char *good, const char *bad, int status)
{
	return bisect_in("tree", figure, good, bad, status);
}

static void expect(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s' in:\n%s", part, text);
}

/* The line of commit @i begins with @words, or there is none. */
static bool says(const char *text, const char *words, int i)
{
	HB_FREE char *subject = hb_strf(" change %d\n", i);
	const char *end = strstr(text, subject), *line = end;

	while (line && line > text && line[-1] != '\n')
		line--;
	return line && !strncmp(line, words, strlen(words));
}

static void test_first_bad_commit(void **state)
{
	HB_FREE char *out = bisect("faults-1 first_fault", "c1", "c20", 0);
	HB_FREE char *tree = hb_strf("%s/tree/code.c", root), *code = NULL;
	int measured = 0;

	(void)state;
	expect(out, "\nfirst bad commit: ");
	expect(strstr(out, "first bad commit"), " change 13\n");
	expect(out, "faults-1 first_fault: 1000 before, 1250 after (+25%)\n");
	assert_true(says(out, "good          1000  ", 1));
	assert_true(says(out, "bad           1250  ", COMMITS));
	assert_true(says(out, "good          1000  ", SLOW - 1));
	assert_true(says(out, "bad           1250  ", SLOW));
	for (int i = 1; i <= COMMITS; i++) {
		assert_false(says(out, i < SLOW ? "bad" : "good", i));
		measured += says(out, "good", i) || says(out, "bad", i);
	}
	/* Halving, with what was skipped beside it: not one after the other. */
	assert_true(measured <= 9);
	/* The tree is as it was. */
	assert_int_equal(hb_file_read(tree, &code, NULL), 0);
	expect(code, "int commit = 20;");
	git("diff --quiet");
	git("symbolic-ref HEAD");
}

/* The search begins in the middle, between 9 and 11: what does not build is skipped and said. */
static void test_skips(void **state)
{
	HB_FREE char *broken = bisect("first_fault", "c7", "c13", 0);
	HB_FREE char *hung = bisect("first_fault", "c12", "c18", 0);

	(void)state;
	assert_true(says(broken, "skip             -  ", 10));
	expect(strstr(broken, "first bad commit"), " change 13\n");
	assert_true(says(hung, "skip             -  ", 15));
	expect(hung, "HANG: no progress");
	expect(strstr(hung, "first bad commit"), " change 13\n");
}

/* Only skipped commits are left: there is no first bad one, and no claim of one. */
static void test_no_end(void **state)
{
	HB_FREE char *out = NULL;

	(void)state;
	git("checkout -b other c9");
	put_file("int speed = 8000;\n#error no\n", "%s/tree/code.c", root);
	git("commit -a -m 'slow and broken'");
	put_file("int speed = 8000;\n", "%s/tree/code.c", root);
	git("commit -a -m 'mended'");
	git("tag mended");
	git("checkout main");
	out = bisect("first_fault", "c9", "mended", 3);
	expect(out, "the first bad commit is one of these:\n");
	expect(strstr(out, "one of these"), " mended\n");
	expect(strstr(out, "one of these"), " slow and broken\n");
	expect(out, "the search did not come to an end");
	assert_null(strstr(out, "first bad commit:"));
}

/* The ends are on two branches, and what is bad was so before these parted: git's words say it. */
static void test_branches(void **state)
{
	HB_FREE char *mended = NULL, *found = NULL;

	(void)state;
	git("checkout -b quick c16");
	put_file("int speed = 10000;\nint commit = 100;\n", "%s/tree/code.c", root);
	git("commit -a -m 'quick again'");
	git("checkout -b aside c3");
	put_file("int speed = 10000;\nint commit = 101;\n", "%s/tree/code.c", root);
	git("commit -a -m 'aside'");
	git("checkout main");
	mended = bisect("first_fault", "quick", "c20", 3);
	assert_true(says(mended, "bad           1250  ", 16));
	expect(mended, "The merge base ");
	expect(mended, "This means the bug has been fixed between ");
	expect(mended, "the search did not come to an end");
	found = bisect("first_fault", "aside", "c20", 0);
	assert_true(says(found, "good          1000  ", 3));
	expect(strstr(found, "first bad commit"), " change 13\n");
}

/* A directory within the tree will do, also with blanks in its name, and a worktree. */
static void test_places(void **state)
{
	HB_FREE char *below = NULL, *worktree = NULL, *none = NULL;

	(void)state;
	put_file("x", "%s/tree/a directory/x", root);
	put_file("x", "%s/no tree/x", root);
	git("worktree add '../a work tree' c5");
	below = bisect_in("tree/a directory", "first_fault", "c12", "c13", 0);
	expect(strstr(below, "first bad commit"), " change 13\n");
	worktree = bisect_in("a work tree", "first_fault", "c12", "c13", 0);
	expect(strstr(worktree, "first bad commit"), " change 13\n");
	none = bisect_in("no tree", "first_fault", "c12", "c13", 2);
	expect(none, "not a git repository");
}

static void test_ends(void **state)
{
	HB_FREE char *same = bisect("first_fault", "c1", "c5", 2);
	HB_FREE char *none = bisect("none", "c1", "c5", 3);
	HB_FREE char *broken = bisect("first_fault", "c10", "c20", 3);
	HB_FREE char *missing = bisect("first_fault", "c1", "c99", 2);
	HB_FREE char *turned = bisect("first_fault", "c20", "c1", 2);

	(void)state;
	expect(same, "first_fault is 1000 at both ends");
	expect(none, "there is no figure 'none'; there are: 'faults-1 first_fault'");
	expect(broken, "the good commit has no figure: ");
	expect(broken, "make bzImage exited with 2");
	expect(missing, "c99: ");
	expect(turned, "BAD is not later than GOOD");
	assert_false(says(turned, "good ", 20));
}

/* The search comes to a commit whose configuration takes for ever, and says in "begun" so. */
static void make_endless(void)
{
	HB_FREE char *endless = hb_strf("allnoconfig:\n\ttouch %s/begun\n\tsleep 600\n", root);

	git("checkout -b long c1");
	put_file(endless, "%s/tree/Makefile", root);
	git("commit -a -m endless");
	put_file(makefile, "%s/tree/Makefile", root);
	put_file("int speed = 8000;\n", "%s/tree/code.c", root);
	git("commit -a -m 'slow again'");
	git("tag slow");
	git("checkout main");
}

/* The judge is a grandchild: it ends with the search, and its build with it. */
static void test_interrupt(void **state)
{
	HB_FREE char *tree = hb_strf("%s/tree", root), *begun = hb_strf("%s/begun", root);
	char *argv[] = {self, "bisect",	      "-t", tree,	   "-s", "exact", "-o", "repeat=1",
			"-o", "insn=1000000", "-m", "first_fault", "c1", "slow",  NULL};
	pid_t pid;

	(void)state;
	make_endless();
	assert_int_equal(leftovers_adopt(), 0);
	pid = child_start(&(struct child){0}, argv, STDOUT_FILENO);
	assert_true(pid > 0);
	for (int i = 0; i < 3000 && access(begun, F_OK); i++)
		usleep(20000);
	kill(pid, SIGINT);
	assert_int_equal(leftovers_end(GRACE_NS), 0);
	assert_int_equal(access(begun, F_OK), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_bad_commit), cmocka_unit_test(test_skips),
		cmocka_unit_test(test_no_end),		 cmocka_unit_test(test_branches),
		cmocka_unit_test(test_places),		 cmocka_unit_test(test_ends),
		cmocka_unit_test(test_interrupt),
	};

	/* A step of the search: git calls this program as it would call hugebench. */
	if (argc > 1 && !strcmp(argv[1], "bisect"))
		return cmd_bisect(argc - 1, argv + 1);
	return cmocka_run_group_tests(tests, setup, teardown);
}
