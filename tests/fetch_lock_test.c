// SPDX-License-Identifier: GPL-2.0-or-later
/* Several processes that fetch sources or kernels at once; apt and dpkg are scripts. */
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/build/cache.h"
#include "bench/build/package.h"
#include "bench/build/source.h"
#include "tests/put.h"

#define SUITE	"x-security"
#define KEYRING "/usr/share/keyrings/debian-archive-keyring.gpg"
/* What a fetch wants to see free at most. */
#define ROOM	 (2ULL << 30)
#define PATIENCE 30 /* seconds for what should take a moment */

static char dir[] = "/tmp/hb-fetch-lock-XXXXXX";
static char *old_path;

/* The script DIR/bin/@name. */
static void put_program(const char *name, const char *script)
{
	HB_FREE char *path = hb_strf("%s/bin/%s", dir, name);

	put_file(script, "%s", path);
	assert_int_equal(chmod(path, 0755), 0);
}

/*
 * A download of package P writes its name to DIR/fetched, then waits while DIR/hold-P is there. The
 * package is its own name and version, what it holds a tree with a Makefile and a kernel. All names
 * that are asked for by how they begin have one that ends in "kernel".
 */
static int setup(void **state)
{
	HB_FREE char *path = NULL;

	(void)state;
	strcpy(dir, "/tmp/hb-fetch-lock-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	old_path = strdup(getenv("PATH"));
	path = hb_strf("%s/bin:%s", dir, old_path);
	setenv("PATH", path, 1);
	setenv("TEST_DIR", dir, 1);
	put_program("apt-config", "#!/bin/sh\n");
	put_program("apt-get",
		    "#!/bin/sh\n"
		    "for what; do :; done\n"
		    "case $* in\n"
		    "*indextargets*) echo index x-security file:/x/debian-security;;\n"
		    "*download*)\n"
		    "	echo $what >>$TEST_DIR/fetched\n"
		    "	while test -e $TEST_DIR/hold-${what%=*}; do sleep .02; done\n"
		    "	echo $what >${what%=*}_${what#*=}_all.deb\n"
		    "esac\n");
	put_program("apt-cache", "#!/bin/sh\n"
				 "case $1 in\n"
				 "pkgnames) echo $2kernel;;\n"
				 "policy) echo '  Candidate: 1';;\n"
				 "esac\n");
	put_program("dpkg-deb", "#!/bin/sh\n"
				"deb=${2##*/}\n"
				"mkdir -p $3/boot && : >$3/boot/vmlinuz-${deb%%_*} &&\n"
				"mkdir -p $3/usr/src $3/top && echo all: >$3/top/Makefile &&\n"
				"tar -C $3 -cJf $3/usr/src/${deb%%_*}.tar.xz top\n");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	setenv("PATH", old_path, 1);
	free(old_path);
	unsetenv("TEST_DIR");
	return hb_remove_all(dir);
}

static void skip_without_apt(void)
{
	if (access(KEYRING, R_OK) || cache_space(dir, ROOM, "", NULL))
		skip();
}

/* Version 1 of @package; to be freed with source_free(). */
static struct source source_of(const char *package)
{
	HB_FREE char *deb = hb_strf("%s/deb", dir);
	struct source s = {.package = strdup(package),
			   .version = strdup("1"),
			   .suite = strdup(SUITE),
			   .sha256 = malloc(CACHE_KEY_LEN + 1)};
	HB_FREE char *text = hb_strf("%s=1\n", package);

	put_file(text, "%s", deb);
	assert_int_equal(digest_of_file(deb, s.sha256), 0);
	return s;
}

typedef int (*fetch)(const void *what, struct hb_error *e);

static int fetch_source(const void *what, struct hb_error *e)
{
	return source_fetch(what, dir, e);
}

static int fetch_kernel(const void *what, struct hb_error *e)
{
	struct package p;
	int rc = package_resolve(dir, what, SUITE, &p, e);

	if (!rc)
		package_free(&p);
	return rc;
}

/* A process that does @f of @what; what it says goes to DIR/@log. */
static pid_t start(fetch f, const void *what, const char *log)
{
	HB_FREE char *path = hb_strf("%s/%s", dir, log);
	pid_t pid = fork();

	if (!pid) {
		struct hb_error e = {.text = ""};
		int fd = creat(path, 0600);

		_exit(dup2(fd, STDERR_FILENO) < 0 || f(what, &e));
	}
	assert_true(pid > 0);
	return pid;
}

/* Its exit status; one that does not end is killed: -1. */
static int end_of(pid_t pid)
{
	int status;

	for (int i = 0; i < PATIENCE * 50; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		usleep(20000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -1;
}

/* Wait until DIR/@name has @words in it. */
static void expect_words(const char *name, const char *words)
{
	HB_FREE char *path = hb_strf("%s/%s", dir, name);

	for (int i = 0; i < PATIENCE * 50; i++) {
		HB_FREE char *text = NULL;

		if (!hb_file_read(path, &text, NULL) && strstr(text, words))
			return;
		usleep(20000);
	}
	fail_msg("%s never said '%s'", name, words);
}

static void hold(const char *package)
{
	put_file("", "%s/hold-%s", dir, package);
}

static void release(const char *package)
{
	HB_FREE char *path = hb_strf("%s/hold-%s", dir, package);

	assert_int_equal(unlink(path), 0);
}

static void expect_fetched(const char *want)
{
	HB_FREE char *path = hb_strf("%s/fetched", dir), *text = NULL;

	assert_int_equal(hb_file_read(path, &text, NULL), 0);
	assert_string_equal(text, want);
}

static void expect_tree(const struct source *s)
{
	HB_FREE char *path = hb_strf("%s/sources/%.16s/tree/Makefile", dir, s->sha256);

	assert_int_equal(access(path, R_OK), 0);
}

/* The kernel that @pattern chose is there, and nothing of how it came. */
static void expect_kernel(const char *pattern, const char *label)
{
	struct package p;
	HB_FREE char *image = NULL, *others = NULL;
	glob_t g;

	assert_true(package_is_there(dir, pattern, SUITE));
	assert_int_equal(package_resolve(dir, pattern, SUITE, &p, NULL), 0);
	assert_string_equal(p.label, label);
	image = hb_strf("%s/boot/vmlinuz-%s", p.dir, p.release);
	assert_int_equal(access(image, R_OK), 0);
	others = hb_strf("%s.*", p.dir);
	assert_int_equal(glob(others, 0, NULL, &g), GLOB_NOMATCH);
	package_free(&p);
}

/* While one source is being fetched another one is there at once, and neither harms the other. */
static void test_two_sources_at_once(void **state)
{
	struct source slow = source_of("slow"), quick = source_of("quick");
	pid_t first;

	(void)state;
	skip_without_apt();
	hold("slow");
	first = start(fetch_source, &slow, "first");
	expect_words("fetched", "slow=1");
	assert_int_equal(end_of(start(fetch_source, &quick, "second")), 0);
	expect_tree(&quick);
	release("slow");
	assert_int_equal(end_of(first), 0);
	expect_tree(&slow);
	source_free(&slow);
	source_free(&quick);
}

/* Two that want one source: the second waits, says so, and finds it fetched. */
static void test_one_source_by_two(void **state)
{
	struct source s = source_of("one");
	pid_t first, second;

	(void)state;
	skip_without_apt();
	hold("one");
	first = start(fetch_source, &s, "first");
	expect_words("fetched", "one=1");
	second = start(fetch_source, &s, "second");
	expect_words("second", "waiting for another hugebench");
	release("one");
	assert_int_equal(end_of(first), 0);
	assert_int_equal(end_of(second), 0);
	expect_tree(&s);
	expect_fetched("one=1\n");
	source_free(&s);
}

/* A killed process holds nothing: the next one begins anew. */
static void test_fetch_that_is_killed(void **state)
{
	struct source s = source_of("one");
	pid_t first;

	(void)state;
	skip_without_apt();
	hold("one");
	first = start(fetch_source, &s, "first");
	expect_words("fetched", "one=1");
	kill(first, SIGKILL);
	assert_int_equal(waitpid(first, NULL, 0), first);
	release("one");
	assert_int_equal(end_of(start(fetch_source, &s, "second")), 0);
	expect_tree(&s);
	source_free(&s);
}

/* While one kernel is being fetched another one is there at once. */
static void test_two_kernels_at_once(void **state)
{
	pid_t first;

	(void)state;
	skip_without_apt();
	hold("slow-kernel");
	first = start(fetch_kernel, "slow-*", "first");
	expect_words("fetched", "slow-kernel=1");
	assert_int_equal(end_of(start(fetch_kernel, "quick-*", "second")), 0);
	expect_kernel("quick-*", "quick-kernel 1");
	assert_false(package_is_there(dir, "slow-*", SUITE));
	release("slow-kernel");
	assert_int_equal(end_of(first), 0);
	expect_kernel("slow-*", "slow-kernel 1");
}

/* Two that want one kernel: the second waits, says so, and finds it fetched. */
static void test_one_kernel_by_two(void **state)
{
	pid_t first, second;

	(void)state;
	skip_without_apt();
	hold("one-kernel");
	first = start(fetch_kernel, "one-*", "first");
	expect_words("fetched", "one-kernel=1");
	second = start(fetch_kernel, "one-*", "second");
	expect_words("second", "waiting for another hugebench");
	release("one-kernel");
	assert_int_equal(end_of(first), 0);
	assert_int_equal(end_of(second), 0);
	expect_kernel("one-*", "one-kernel 1");
	expect_fetched("one-kernel=1\n");
}

/* A killed process holds nothing, and what it left is no kernel. */
static void test_kernel_fetch_that_is_killed(void **state)
{
	pid_t first;

	(void)state;
	skip_without_apt();
	hold("one-kernel");
	first = start(fetch_kernel, "one-*", "first");
	expect_words("fetched", "one-kernel=1");
	kill(first, SIGKILL);
	assert_int_equal(waitpid(first, NULL, 0), first);
	release("one-kernel");
	assert_false(package_is_there(dir, "one-*", SUITE));
	assert_int_equal(end_of(start(fetch_kernel, "one-*", "second")), 0);
	expect_kernel("one-*", "one-kernel 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_two_sources_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_source_by_two, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fetch_that_is_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_kernels_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_kernel_by_two, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kernel_fetch_that_is_killed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
