// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/base/units.h"
#include "bench/build/buildtree.h"
#include "bench/build/cache.h"
#include "bench/build/elfinfo.h"
#include "bench/build/kbuild.h"
#include "bench/build/fragments.h"
#include "bench/build/needs.h"
#include "bench/build/series.h"
#include "bench/host/cgroup.h"
#include "bench/host/child.h"
#include "bench/host/memory.h"

/* Source links and objects of a build; with KASAN and lockdep the objects are the larger part. */
#define BUILD_BYTES (1500ULL << 20)
/* What one compiler takes at most, measured on 5.10 with gcc 12. */
#define JOB_BYTES (256ULL << 20)
/* The newest gcc that builds the kernels that come with this. */
#define NEWEST_GCC 14
/* Compiler calls of a build whose number no earlier build has recorded. */
#define COMPILED_GUESS 1120
/* Bytes of make's output that an error message has, and of one line of it. */
#define COMPLAINTS 700
#define COMPLAINT  200

/*
 * What a build sees of the caller's environment; a trailing '*' stands for any end. Of ccache where
 * it keeps what it has compiled, and whether it does: neither has a say in what comes out.
 */
static const char *const build_seen[] = {"PATH",  "HOME",  "USER",	 "LOGNAME",
					 "SHELL", "XDG_*", "CCACHE_DIR", "CCACHE_DISABLE"};
/* Variables that kbuild knows and that whoever set them may expect to be used. */
static const char *const build_refused[] = {"ARCH",	    "CROSS_COMPILE", "LD",     "KCFLAGS",
					    "KAFLAGS",	    "KCPPFLAGS",     "HOSTCC", "LLVM_IAS",
					    "LOCALVERSION", "CCACHE_*"};

/* All that would differ from build to build and gets into the image. */
#define BUILD_ENV                                                                                  \
	"KBUILD_BUILD_TIMESTAMP=2021-01-01 00:00:00 UTC", "KBUILD_BUILD_USER=hugebench",           \
		"KBUILD_BUILD_HOST=localhost", "KBUILD_BUILD_VERSION=1", "LC_ALL=C", "TZ=UTC"

/* One build going on. */
struct building {
	const struct kbuild *b;
	FILE *log;
	char *log_path;
	char *fragments; /* path of all of them in one file */
	unsigned int jobs;
	const char **unset;	/* names of the environment that make does not see */
	char words[COMPLAINTS]; /* lines of the output that may say why it failed */
	size_t nwords;
	bool cut_short; /* the tree may hold what was not finished: not to be built upon */
	/* progress */
	int terminal;
	unsigned int compiled, expected;    /* expected 0: unknown */
	uint64_t started, compiling, shown; /* hb_now_ns() */
};

/* The file that remembers how many compiler calls a configuration takes. */
static char *expected_path(const struct kbuild *b)
{
	HB_FREE char *fragments = json_dumps(b->v->fragments, JSON_COMPACT);
	struct digest *d = digest_begin();
	char hex[CACHE_KEY_LEN + 1];

	if (d)
		digest_text(d, "fragments", fragments ? fragments : "");
	return digest_end(d, hex) ? NULL : hb_strf("%s/logs/compiled-%.8s", b->cache, hex);
}

static unsigned int expected_read(const struct kbuild *b)
{
	HB_FREE char *path = expected_path(b);
	uint64_t n;

	return path && !hb_file_read_u64(path, &n) && n ? n : COMPILED_GUESS;
}

/* Only an estimate hangs on it: a failure to write is of no concern. */
static void expected_write(const struct kbuild *b, unsigned int compiled)
{
	HB_FREE char *path = expected_path(b);
	HB_FREE char *text = hb_strf("%u\n", compiled);

	if (path && text)
		hb_file_write_atomic(path, text, strlen(text));
}

/* "2min left", or nothing while there is no telling. */
static const char *time_left(const struct building *g, uint64_t now, char text[48])
{
	char duration[32];
	double left;

	*text = 0;
	if (g->compiled < 20 || g->compiled >= g->expected)
		return text;
	left = (double)(now - g->compiling) / g->compiled * (g->expected - g->compiled);
	if (left < NSEC_PER_SEC)
		return text;
	hb_format_duration(duration, sizeof(duration), (uint64_t)(left / 1e9) * NSEC_PER_SEC);
	snprintf(text, 48, ", %s left", duration);
	return text;
}

static void progress_show(struct building *g, uint64_t now)
{
	char of[32] = "", left[48];

	g->shown = now;
	if (g->compiled < g->expected)
		snprintf(of, sizeof(of), " of about %u", g->expected);
	fprintf(stderr, "%skernel %s: %u%s files compiled%s%s", g->terminal ? "\r" : "",
		g->b->v->name, g->compiled, of, time_left(g, now, left),
		g->terminal ? "\033[K" : "\n");
	fflush(stderr);
}

/* Does the line of make's output say why something failed? */
static bool is_complaint(const char *line)
{
	static const char *const signs[] = {"error",   "***",	    "fail",	 "not found",
					    "no such", "cannot",    "undefined", "not available",
					    "unknown", "not clean", "mrproper",	 "missing"};

	/* "  CC      lib/error-inject.o" */
	if (!strncmp(line, "  ", 2) && strncmp(line, "  ***", 5))
		return false;
	if (strstr(line, "warning:") || !strncmp(line, "== ", 3))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
		if (strcasestr(line, signs[i]))
			return true;
	return false;
}

/* Each line of the output of git and make. */
static void log_line(void *arg, const char *line)
{
	struct building *g = arg;

	fprintf(g->log, "%s\n", line);
	if (is_complaint(line) && g->nwords < sizeof(g->words))
		g->nwords += snprintf(g->words + g->nwords, sizeof(g->words) - g->nwords,
				      "\n  %.*s", COMPLAINT, line);
}

/* The same, and compiler calls are counted. */
static void build_line(void *arg, const char *line)
{
	struct building *g = arg;
	uint64_t now;

	log_line(arg, line);
	if (strncmp(line, "  CC ", 5) && strncmp(line, "  AS ", 5))
		return;
	g->compiled++;
	now = hb_now_ns();
	if (now - g->shown > (g->terminal ? 1 : 30) * NSEC_PER_SEC)
		progress_show(g, now);
}

/* How many compilers may run: the processors, fewer where memory is short or a control group has a
 * part of them only. */
static int job_count(unsigned int *jobs, struct hb_error *e)
{
	cpu_set_t cpus;
	uint64_t available = memory_available();

	*jobs = cgroup_cpus(sched_getaffinity(0, sizeof(cpus), &cpus) ? 1 : CPU_COUNT(&cpus));
	/* The final link of a 5.10 with kallsyms takes about as much as two compilers. */
	if (available && available < 2 * JOB_BYTES)
		return hb_error_set(e, -ENOMEM,
				    "building a kernel needs 512 MiB of memory, %" PRIu64
				    " MiB are available",
				    available >> 20);
	if (available && *jobs > available / JOB_BYTES)
		*jobs = available / JOB_BYTES;
	return 0;
}

static bool matches(const char *name, size_t n, const char *pattern)
{
	size_t len = strlen(pattern);

	if (pattern[len - 1] == '*')
		return n >= len - 1 && !strncmp(name, pattern, len - 1);
	return n == len && !strncmp(name, pattern, n);
}

static bool matches_any(const char *name, size_t n, const char *const *patterns, size_t npatterns)
{
	for (size_t i = 0; i < npatterns; i++)
		if (matches(name, n, patterns[i]))
			return true;
	return false;
}

/* g->unset from the environment; what is set in vain is said. */
static int close_environment(struct building *g)
{
	size_t n = 0, count = 0;

	while (environ[n])
		n++;
	g->unset = calloc(n + 1, sizeof(*g->unset));
	for (size_t i = 0; g->unset && i < n; i++) {
		size_t len = strcspn(environ[i], "=");

		if (matches_any(environ[i], len, build_seen, ARRAY_SIZE(build_seen)))
			continue;
		if (environ[i][len] && environ[i][len + 1] &&
		    matches_any(environ[i], len, build_refused, ARRAY_SIZE(build_refused)))
			fprintf(stderr, "hugebench: %.*s is set, and not used for kernels\n",
				(int)len, environ[i]);
		g->unset[count] = strndup(environ[i], len);
		if (!g->unset[count++])
			return -ENOMEM;
	}
	return g->unset ? 0 : -ENOMEM;
}

static void free_environment(struct building *g)
{
	for (const char **name = g->unset; name && *name; name++)
		free((char *)*name);
	free(g->unset);
}

/* A hint where a compiler is younger than the kernels that were tried with it. */
static const char *compiler_hint(const struct building *g, char text[128])
{
	unsigned int major = g->b->toolchain->major;

	*text = 0;
	if (!g->b->toolchain->llvm && major > NEWEST_GCC && g->compiled)
		snprintf(text, 128,
			 "; the kernel may be older than gcc %u: CC=gcc-12 takes another", major);
	return text;
}

static int make_failed(const struct building *g, const char *target, int status, struct hb_error *e)
{
	char hint[128];

	return hb_error_set(e, -EIO, "kernel %s: make %s exited with %d%s; %s says:%s",
			    g->b->v->name, target, status, compiler_hint(g, hint), g->log_path,
			    g->nwords ? g->words : " nothing of a reason");
}

/* make -C SRC O=OBJ TARGET */
static int make_target(struct building *g, const struct buildtree *t, const char *target,
		       child_line line, struct hb_error *e)
{
	HB_FREE char *output = hb_strf("O=%s", t->obj);
	HB_FREE char *jobs = hb_strf("-j%u", g->jobs);
	HB_FREE char *cc = hb_strf("CC=%s", g->b->toolchain->cc);
	HB_FREE char *all = hb_strf("KCONFIG_ALLCONFIG=%s", g->fragments);
	/* A clone around the cache must not be taken for that of the kernel. */
	HB_FREE char *ceiling = hb_strf("GIT_CEILING_DIRECTORIES=%s", g->b->cache);
	/* A make or compiler that is killed leaves files there, which go with it. */
	HB_FREE char *temporary = hb_strf("TMPDIR=%s", g->b->work);
	const char *env[] = {BUILD_ENV, all, ceiling, temporary, NULL};
	struct child c = {.env = env, .unset = g->unset, .death = CHILD_KILL};
	char *argv[] = {"make",
			"--no-print-directory",
			"-C",
			t->src,
			output,
			jobs,
			cc,
			(char *)target,
			g->b->toolchain->llvm ? "LLVM=1" : NULL,
			NULL};
	int rc;

	if (!output || !jobs || !cc || !all || !ceiling || !temporary)
		return hb_error_set(e, -ENOMEM, "out of memory");
	fprintf(g->log, "== make %s\n", target);
	g->nwords = 0;
	/* Compilers that are told to end by make alone go on for a while, in the tree. */
	rc = child_run_all(&c, argv, line, g);
	/* make removes what it had not finished, unless it was killed. */
	g->cut_short = rc < 0 || rc > 128;
	return rc ? make_failed(g, target, rc, e) : 0;
}

/* Do the wanted lines hold? With strict = no one that does not is only told. */
static int check_configuration(const struct building *g, const char *config, struct hb_error *e)
{
	const struct variant *v = g->b->v;
	struct hb_error lost = {.text = ""};
	int rc = fragments_check(g->b->root, v->fragments, config, &lost);

	if (rc == -EIO && !v->strict) {
		fprintf(stderr, "hugebench: kernel %s (strict = no): %s\n", v->name, lost.text);
		return 0;
	}
	return rc ? hb_error_set(e, rc,
				 "kernel %s: %s; 'strict = no' in its description takes the "
				 "configuration as it is",
				 v->name, lost.text)
		  : 0;
}

/* Have make write @config, which takes as long as compiling a dozen files. */
static int make_configuration(struct building *g, const struct buildtree *t, const char *config,
			      struct hb_error *e)
{
	const struct variant *v = g->b->v;
	int rc = fragments_join(g->b->root, v, v->config ? config : g->fragments);

	if (rc)
		return hb_error_set(e, rc, "kernel %s: cannot join its configuration: %s", v->name,
				    strerror(-rc));
	if (!v->config)
		rc = make_target(g, t, "allnoconfig", log_line, e);
	return rc ? rc : make_target(g, t, "olddefconfig", log_line, e);
}

static int configure(struct building *g, struct buildtree *t, struct hb_error *e)
{
	HB_FREE char *config = hb_strf("%s/.config", t->obj);
	int rc = config ? 0 : hb_error_set(e, -ENOMEM, "out of memory");

	if (!rc && !t->configured) {
		rc = make_configuration(g, t, config, e);
		if (!rc)
			buildtree_set_configured(t);
	}
	if (!rc)
		rc = check_configuration(g, config, e);
	if (rc)
		return rc;
	rc = needs_check(config, t->src, e);
	return rc ? hb_error_prefix(e, rc, "kernel %s", g->b->v->name) : 0;
}

static int copy_file(const char *from, const char *to)
{
	char *argv[] = {"cp", (char *)from, (char *)to, NULL};

	return child_do(argv, -1) ? -EIO : 0;
}

/* Take over what is kept, and learn version and build-id. */
static int collect(struct building *g, const char *obj, json_t **facts, struct hb_error *e)
{
	static const char *const keep[][2] = {{"arch/x86/boot/bzImage", "bzImage"},
					      {".config", "config"},
					      {"System.map", "System.map"}};
	HB_FREE char *out = hb_strf("%s/out", g->b->work);
	HB_FREE char *vmlinux = hb_strf("%s/vmlinux", obj);
	HB_FREE char *release = hb_strf("%s/include/config/kernel.release", obj);
	HB_FREE char *version = NULL;
	HB_FREE char *id = NULL;
	int rc;

	if (!out || !vmlinux || !release)
		return hb_error_set(e, -ENOMEM, "out of memory");
	rc = hb_mkdir_all(out);
	for (size_t i = 0; !rc && i < ARRAY_SIZE(keep); i++) {
		HB_FREE char *from = hb_strf("%s/%s", obj, keep[i][0]);
		HB_FREE char *to = hb_strf("%s/%s", out, keep[i][1]);

		rc = from && to ? copy_file(from, to) : -ENOMEM;
	}
	if (!rc)
		rc = hb_file_read(release, &version, NULL);
	if (rc)
		return hb_error_set(e, rc, "kernel %s: cannot keep the result of the build: %s",
				    g->b->v->name, strerror(-rc));
	rc = elf_build_id(vmlinux, &id, e);
	if (rc)
		return rc;
	version[strcspn(version, "\n")] = 0;
	*facts = json_pack("{s:s, s:s, s:i, s:f}", "version", version, "build_id", id, "compiled",
			   g->compiled, "seconds", (hb_now_ns() - g->started) / 1e9);
	return *facts ? 0 : hb_error_set(e, -ENOMEM, "out of memory");
}

/* The variant's patches as paths; NULL without memory. */
static json_t *patch_paths(const struct kbuild *b)
{
	json_t *paths = json_array(), *patch;
	size_t i;

	json_array_foreach (b->v->patches, i, patch) {
		HB_FREE char *path = variant_input(b->root, json_string_value(patch));

		if (!path || json_array_append_new(paths, json_string(path))) {
			json_decref(paths);
			return NULL;
		}
	}
	return paths;
}

/* The sources of @t: the variant's source with its patches. */
static int prepare(struct building *g, struct buildtree *t, struct hb_error *e)
{
	const struct kbuild *b = g->b;
	HB_FREE char *overlay = hb_strf("%s/patched", b->work);
	json_t *patches = patch_paths(b), *gone = NULL;
	struct source_tree from;
	int rc;

	if (!overlay || !patches) {
		json_decref(patches);
		return hb_error_set(e, -ENOMEM, "out of memory");
	}
	fprintf(stderr, "kernel %s: preparing %s\n", b->v->name, b->id->label);
	rc = source_open(&b->v->source, b->cache, b->id, &from, e);
	if (!rc) {
		rc = series_apply(patches, from.dir, overlay, g->log, &gone, e);
		if (rc)
			hb_error_prefix(e, rc, "kernel %s, %s, see %s", b->v->name, b->id->label,
					g->log_path);
		if (!rc) {
			rc = buildtree_fill(t, &from, overlay, gone, e);
			g->cut_short = rc;
		}
		source_close(&from);
	}
	json_decref(gone);
	json_decref(patches);
	return rc ? rc : source_check(&b->v->source, b->cache, b->id, e);
}

static int make_kernel(struct building *g, struct buildtree *t, json_t **facts, struct hb_error *e)
{
	int rc = prepare(g, t, e);

	if (rc)
		return rc;
	g->expected = t->warm ? 0 : expected_read(g->b);
	rc = configure(g, t, e);
	g->compiling = hb_now_ns();
	if (!rc)
		rc = make_target(g, t, "bzImage", build_line, e);
	if (g->terminal && g->compiled)
		fputs("\n", stderr);
	if (!rc && !t->warm)
		expected_write(g->b, g->compiled);
	return rc ? rc : collect(g, t->obj, facts, e);
}

/* A short name for @text. */
static int short_name(const char *text, char name[CACHE_KEY_LEN + 1])
{
	struct digest *d = digest_begin();
	int rc;

	digest_text(d, "", text);
	rc = digest_end(d, name);
	name[8] = 0;
	return rc;
}

/* The tree that this build shares with those of the same source, compiler and configuration. */
static int open_tree(const struct building *g, struct buildtree *t, struct hb_error *e)
{
	const struct kbuild *b = g->b;
	const struct source *s = &b->v->source;
	char compiler[CACHE_KEY_LEN + 1], source[CACHE_KEY_LEN + 1], config[CACHE_KEY_LEN + 1];
	const struct buildtree_name name = {compiler, source, config};
	HB_FREE char *steps = hb_strf(KBUILD_STEPS " %s %s", b->toolchain->text, b->toolchain->cc);
	HB_FREE char *text = NULL;
	int rc = fragments_join(b->root, b->v, g->fragments);

	if (!rc)
		rc = hb_file_read(g->fragments, &text, NULL);
	if (rc)
		return hb_error_set(e, rc, "kernel %s: cannot join its configuration: %s",
				    b->v->name, strerror(-rc));
	if (!steps || short_name(steps, compiler) ||
	    short_name(s->tree ? s->tree : b->id->hash, source) || short_name(text, config))
		return hb_error_set(e, -ENOMEM, "out of memory");
	return buildtree_open(b->cache, &name, b->keep ? b->work : NULL, t, e);
}

static int build_steps(struct building *g, json_t **facts, struct hb_error *e)
{
	struct buildtree t;
	int rc = hb_mkdir_all(g->b->work);

	if (rc)
		return hb_error_set(e, rc, "cannot make %s: %s", g->b->work, strerror(-rc));
	if (close_environment(g))
		return hb_error_set(e, -ENOMEM, "out of memory");
	rc = open_tree(g, &t, e);
	if (rc)
		return rc;
	rc = make_kernel(g, &t, facts, e);
	buildtree_close(&t, !g->cut_short);
	return rc;
}

int kbuild_check_place(const char *cache, struct hb_error *e)
{
	static const char taken[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "/._-+,@~=";
	size_t n = strspn(cache, taken);

	if (!cache[n])
		return 0;
	return hb_error_set(e, -EINVAL,
			    "kernels cannot be built in %s: make takes no '%c' in the name of a "
			    "directory; let XDG_CACHE_HOME name another",
			    cache, cache[n]);
}

static int open_log(struct building *g, struct hb_error *e)
{
	HB_FREE char *dir = hb_strf("%s/logs", g->b->cache);

	g->log_path = hb_strf("%s/logs/kernel-%s.log", g->b->cache, g->b->v->name);
	if (!dir || !g->log_path || hb_mkdir_all(dir))
		return hb_error_set(e, -ENOMEM, "cannot make %s/logs", g->b->cache);
	g->log = fopen(g->log_path, "we");
	if (g->log)
		setlinebuf(g->log);
	return g->log ? 0
		      : hb_error_set(e, -errno, "cannot write %s: %s", g->log_path,
				     strerror(errno));
}

int kbuild_run(const struct kbuild *b, json_t **facts, struct hb_error *e)
{
	struct building g = {.b = b,
			     .terminal = isatty(STDERR_FILENO),
			     .fragments = hb_strf("%s/fragments", b->work),
			     .started = hb_now_ns()};
	int rc = g.fragments ? hb_remove_all(b->work) : -ENOMEM;

	g.shown = g.started;
	if (rc)
		return hb_error_set(e, rc, "cannot empty %s: %s", b->work, strerror(-rc));
	rc = job_count(&g.jobs, e);
	if (!rc)
		rc = cache_space(b->cache, BUILD_BYTES, "building a kernel", e);
	if (!rc)
		rc = open_log(&g, e);
	if (!rc)
		rc = build_steps(&g, facts, e);
	if (g.log)
		fclose(g.log);
	free(g.log_path);
	free(g.fragments);
	free_environment(&g);
	return rc;
}
