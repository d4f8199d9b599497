// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	faults [N [SEED [FIRST]]]	N faults (default: a hundred), the kinds in turn; TAP
 *
 * FIRST is the number of the first, 0 unless told: a fault that failed is had again by its number.
 *
 * Several processes take them from one list, each in a place of its own: most of a fault is
 * waiting.
 */
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/build/kernel.h"
#include "bench/host/paths.h"
#include "tests/inject/faults.h"
#include "tests/leftovers.h"

#define WORKERS_PER_CPU 2
#define RARE_EVERY	3
#define DEFAULT_FAULTS	100 /* more than a round has: at least one of each kind */
#define TRIES_MOST	5

struct site site;

struct tally {
	unsigned int injected, failed, missed, skipped;
	uint64_t taken_ns; /* by those injected or missed */
};

/* What the processes share. */
static struct list {
	unsigned long first, next, end;
	uint64_t seed;
	unsigned int broken; /* processes that could not even begin */
	struct tally of[];
} * list;

void complain(struct fault *f, const char *fmt, ...)
{
	va_list ap;

	if (*f->why)
		return;
	va_start(ap, fmt);
	vsnprintf(f->why, sizeof(f->why), fmt, ap);
	va_end(ap);
}

uint64_t below(struct fault *f, uint64_t n)
{
	return hb_random(&f->seed) % n;
}

void moment(struct fault *f)
{
	hb_sleep_until_ns(hb_now_ns() + below(f, (f->kind->ground->length_ns * 3 / 4) >> f->tries));
}

/* The kind of the @i-th fault: all of them, and those that take their time in every third round. */
static const struct kind *kind_of(unsigned long i)
{
	for (unsigned long round = 0;; round++)
		for (size_t k = 0; k < nkinds; k++)
			if ((!kinds[k].ground->rare || round % RARE_EVERY == 0) && !i--)
				return &kinds[k];
}

static void check_finished(struct fault *f, json_t *before)
{
	json_t *after = f->kind->ground->finished(), *text;
	const char *name;

	json_object_foreach (before, name, text)
		if (!json_equal(text, json_object_get(after, name)))
			complain(f, "%s is lost or changed", name);
	json_decref(after);
}

static void take_up(struct fault *f)
{
	const struct ground *g = f->kind->ground;
	int status = g->again ? g->again() : finish(g->start());
	HB_FREE char *text = NULL;

	/* A boot whose agent went wrong is a finished one, and INVALID. */
	if (!status || (status == 1 && f->kind->spoils))
		return;
	text = output();
	complain(f, "the second attempt ends with %d: %.300s", status, text);
}

/* A first attempt, and the fault. */
static void strike(struct fault *f)
{
	HB_FREE char *said = hb_strf("%s/output", site.top);
	unsigned int left;

	if (said)
		unlink(said);
	f->missed = false;
	f->kind->ground->reset(f->number + 1);
	f->kind->inject(f);
	unsetenv("fake");
	left = leftovers_end(LEFTOVERS_GRACE_NS);
	if (left)
		complain(f, "%u processes are left", left);
}

/* An attempt that the fault came too late for is made again, with an earlier moment. */
static void one(struct fault *f)
{
	struct ground *g = f->kind->ground;
	unsigned int left;
	json_t *before;

	strike(f);
	while (f->missed && ++f->tries < TRIES_MOST)
		strike(f);
	before = g->finished();
	take_up(f);
	left = leftovers_end(LEFTOVERS_GRACE_NS);
	if (left)
		complain(f, "%u processes are left by the second attempt", left);
	check_finished(f, before);
	json_decref(before);
	g->check(f);
	check_place(f);
}

static void count(const struct fault *f)
{
	struct tally *t = &list->of[f->kind - kinds];

	__atomic_add_fetch(f->missed ? &t->missed : &t->injected, 1, __ATOMIC_RELAXED);
	if (!*f->why)
		return;
	__atomic_add_fetch(&t->failed, 1, __ATOMIC_RELAXED);
	fprintf(stderr, "# fault %lu, %s: %s\n", f->number, f->kind->name, f->why);
}

static void skip(const struct kind *kind)
{
	__atomic_add_fetch(&list->of[kind - kinds].skipped, 1, __ATOMIC_RELAXED);
}

/* Inject the next one of a ground that is as it should be. */
static void take(struct fault *f)
{
	struct ground *g = f->kind->ground;

	if (!g->state)
		g->state = g->prepare(g) ?: 1;
	if (g->state == 1) {
		uint64_t began = hb_now_ns();

		one(f);
		count(f);
		__atomic_add_fetch(&list->of[f->kind - kinds].taken_ns, hb_now_ns() - began,
				   __ATOMIC_RELAXED);
	} else if (g->state == -ENODEV) {
		skip(f->kind);
	} else {
		HB_FREE char *text = output();
		size_t len = strlen(text);

		complain(f, "an undisturbed attempt fails: %s", text + (len > 300 ? len - 300 : 0));
		count(f);
	}
}

static char *beside(const char *name)
{
	HB_FREE char *dir = paths_beside("");

	return dir ? hb_strf("%s%s", dir, name) : NULL;
}

static int copy(const char *from, const char *to)
{
	HB_FREE char *source = beside(from), *target = hb_strf("%s/%s", site.bin, to);
	HB_FREE char *line = hb_strf("cp %s %s", source, target);

	return line && !system(line) ? 0 : -1;
}

/* The cache is empty but for the QEMU of the machine's own, which takes long to fetch. */
static int lend_qemu(const char *own)
{
	HB_FREE char *from = hb_strf("%s/qemu", own);
	HB_FREE char *dir = hb_strf("%s/hugebench", site.cache);
	HB_FREE char *to = hb_strf("%s/hugebench/qemu", site.cache);

	return !from || !to || hb_mkdir_all(dir) || (!access(from, F_OK) && symlink(from, to));
}

static int settle(const char *own_cache)
{
	HB_FREE char *tmp = NULL, *kernels = NULL;

	strcpy(site.top, "/tmp/hugebench-faults-XXXXXX");
	if (!mkdtemp(site.top) || leftovers_adopt())
		return -1;
	site.bin = hb_strf("%s/bin", site.top);
	site.command = hb_strf("%s/bin/hugebench", site.top);
	site.results = hb_strf("%s/results", site.top);
	site.cache = hb_strf("%s/cache", site.top);
	site.preload = beside("preload.so");
	tmp = hb_strf("%s/tmp", site.top);
	kernels = hb_strf("%s/kernels", site.top);
	setenv("XDG_CACHE_HOME", site.cache, 1);
	setenv("TMPDIR", tmp, 1);
	setenv("HUGEBENCH_KERNELS", kernels, 1);
	/* The modes of directories are a fault of their own. */
	return hb_mkdir_all(site.bin) || mkdir(site.results, 0777) || mkdir(tmp, 0777) ||
	       mkdir(kernels, 0777) || lend_qemu(own_cache) ||
	       copy("../../hugebench", "hugebench") || copy("../fake_guest", "hugebench-agent");
}

/* Take the @i-th if it is one of those that are taken @alone, or not. */
static void take_if(unsigned long i, bool alone)
{
	struct fault f = {
		.kind = kind_of(i), .number = i, .seed = (list->seed + i) * 0x9e3779b97f4a7c15};

	if (f.kind->ground->alone == alone)
		take(&f);
}

/* The first of the processes has what is done alone, and prepares for it once. */
static void work(const char *own_cache, bool first)
{
	unsigned long i;

	if (settle(own_cache)) {
		__atomic_add_fetch(&list->broken, 1, __ATOMIC_RELAXED);
		hb_remove_all(site.top);
		return;
	}
	for (i = list->first; first && i < list->end; i++)
		take_if(i, true);
	while ((i = __atomic_fetch_add(&list->next, 1, __ATOMIC_RELAXED)) < list->end)
		take_if(i, false);
	hb_remove_all(site.top);
}

/* The kernel of the guests, as the cache of this machine has it, or built. */
static void find_kernel(void)
{
	struct hb_error e = {""};
	struct kernel k;

	if (kernel_resolve("base", &k, &e)) {
		fprintf(stderr, "# no kernel for guests: %s\n", e.text);
		return;
	}
	site.kernel = HB_STEAL(k.bzimage);
	site.config = HB_STEAL(k.config);
	site.build_id = HB_STEAL(k.build_id);
	kernel_free(&k);
}

static int print(void)
{
	struct tally sum = {0};

	printf("1..%zu\n", nkinds);
	for (size_t k = 0; k < nkinds; k++) {
		const struct tally *t = &list->of[k];

		unsigned int n = t->injected + t->missed;

		printf("%s %2zu - %-30s %4u injected %3u failed %3u too late %5.1f s each%s\n",
		       t->failed ? "not ok" : "ok", k + 1, kinds[k].name, t->injected, t->failed,
		       t->missed, n ? t->taken_ns / 1e9 / n : 0,
		       t->skipped && !n ? " # SKIP not on this machine" : "");
		sum.injected += t->injected;
		sum.failed += t->failed;
		sum.missed += t->missed;
		sum.skipped += t->skipped;
	}
	printf("# %u injected, %u failed; %u came too late, %u not on this machine\n", sum.injected,
	       sum.failed, sum.missed, sum.skipped);
	return sum.failed || list->broken;
}

int main(int argc, char **argv)
{
	size_t bytes = sizeof(*list) + nkinds * sizeof(list->of[0]);
	long workers = WORKERS_PER_CPU * sysconf(_SC_NPROCESSORS_ONLN);
	HB_FREE char *own_cache = paths_cache(NULL);

	list = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (list == MAP_FAILED || !own_cache)
		return 1;
	list->seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	list->first = list->next = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	list->end = list->first + (argc > 1 ? strtoul(argv[1], NULL, 10) : DEFAULT_FAULTS);
	find_kernel();
	for (long i = 0; i < workers; i++)
		if (!fork()) {
			work(own_cache, !i);
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
	return print();
}
