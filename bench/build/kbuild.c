// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/base/units.h"
#include "bench/build/cache.h"
#include "bench/host/child.h"
#include "bench/build/elfinfo.h"
#include "bench/build/kbuild.h"

/* Source links and objects of a build; with KASAN and lockdep the objects are the larger part. */
#define BUILD_BYTES (1500ULL << 20)
/* What one compiler takes at most, measured on 5.10 with gcc 12. */
#define JOB_BYTES (256ULL << 20)
/* Compiler calls of a build whose number no earlier build has recorded. */
#define COMPILED_GUESS 1120

/*
 * Variables of the caller's that would change the kernel or confuse its make: the job server and
 * the switched-off built-in rules come from a make that runs us.
 */
static const char *const build_unset[] = {"MAKEFLAGS",
					  "MFLAGS",
					  "MAKELEVEL",
					  "MAKEOVERRIDES",
					  "ARCH",
					  "CROSS_COMPILE",
					  "CC",
					  "LD",
					  "CFLAGS",
					  "LDFLAGS",
					  "KCFLAGS",
					  "KAFLAGS",
					  "KBUILD_OUTPUT",
					  "O",
					  "V",
					  "C",
					  "W",
					  "LLVM",
					  "LOCALVERSION",
					  "KCONFIG_CONFIG",
					  "INSTALL_MOD_PATH",
					  "GIT_DIR",
					  "GIT_WORK_TREE",
					  "GIT_INDEX_FILE",
					  NULL};

/* All that would differ from build to build and gets into the image. */
static const char *const build_env[] = {"KBUILD_BUILD_TIMESTAMP=2021-01-01 00:00:00 UTC",
					"KBUILD_BUILD_USER=hugebench",
					"KBUILD_BUILD_HOST=localhost",
					"KBUILD_BUILD_VERSION=1",
					"LC_ALL=C",
					"TZ=UTC",
					NULL};

/* One build going on. */
struct building {
	const struct kbuild *b;
	FILE *log;
	char *log_path;
	unsigned int jobs;
	/* progress */
	int terminal;
	unsigned int compiled, expected;
	uint64_t started, compiling, shown; /* hb_now_ns() */
};

char *kbuild_toolchain(struct hb_error *e)
{
	char *gcc_argv[] = {"gcc", "--version", NULL};
	char *ld_argv[] = {"ld", "--version", NULL};
	const char *env[] = {"LC_ALL=C", NULL};
	struct child c = {.env = env};
	HB_FREE char *gcc = NULL;
	HB_FREE char *ld = NULL;

	if (child_capture(&c, gcc_argv, &gcc) || child_capture(&c, ld_argv, &ld)) {
		hb_error_set(e, -ENODEV, "gcc or ld is missing; make deps");
		return NULL;
	}
	gcc[strcspn(gcc, "\n")] = 0;
	ld[strcspn(ld, "\n")] = 0;
	return hb_strf("%s; %s", gcc, ld);
}

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

static void progress_show(struct building *g, uint64_t now)
{
	double spent = now - g->compiling;
	double left = g->compiled && g->compiled < g->expected
			      ? spent / g->compiled * (g->expected - g->compiled)
			      : 0;
	char left_text[32];

	g->shown = now;
	fprintf(stderr, "%skernel %s: %u of about %u files, %s left%s", g->terminal ? "\r" : "",
		g->b->v->name, g->compiled, g->expected > g->compiled ? g->expected : g->compiled,
		g->compiled < 20 ? "some time"
				 : hb_format_duration(left_text, sizeof(left_text),
						      (uint64_t)(left / 1e9) * 1e9),
		g->terminal ? "\033[K" : "\n");
	fflush(stderr);
}

/* Output of make: to the log, and the compiler calls are counted. */
static void build_line(void *arg, const char *line)
{
	struct building *g = arg;
	uint64_t now;

	fprintf(g->log, "%s\n", line);
	if (strncmp(line, "  CC ", 5) && strncmp(line, "  AS ", 5))
		return;
	g->compiled++;
	now = hb_now_ns();
	if (now - g->shown > (g->terminal ? 1 : 30) * NSEC_PER_SEC)
		progress_show(g, now);
}

static void log_line(void *arg, const char *line)
{
	struct building *g = arg;

	fprintf(g->log, "%s\n", line);
}

/* How many compilers may run: the processors, fewer where memory is short. */
static int job_count(unsigned int *jobs, struct hb_error *e)
{
	HB_FREE char *meminfo = NULL;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t available;
	char *line;

	*jobs = cpus > 0 ? cpus : 1;
	if (hb_file_read("/proc/meminfo", &meminfo, NULL))
		return 0;
	line = strstr(meminfo, "MemAvailable:");
	if (!line)
		return 0;
	available = strtoull(line + strlen("MemAvailable:"), NULL, 10) << 10;
	/* The final link of a 5.10 with kallsyms takes about as much as two compilers. */
	if (available < 2 * JOB_BYTES)
		return hb_error_set(e, -ENOMEM,
				    "building a kernel needs 512 MiB of memory, %" PRIu64
				    " MiB are available",
				    available >> 20);
	if (*jobs > available / JOB_BYTES)
		*jobs = available / JOB_BYTES;
	return 0;
}

static int apply_patch(struct building *g, const char *src, const char *patch, struct hb_error *e)
{
	/* A clone around the cache must not be taken for the tree to patch. */
	HB_FREE char *ceiling = hb_strf("GIT_CEILING_DIRECTORIES=%s", g->b->work);
	HB_FREE char *file = variant_input(g->b->root, patch);
	const char *env[] = {ceiling, "LC_ALL=C", NULL};
	struct child c = {.directory = src, .env = env, .unset = build_unset};
	char *argv[] = {"git", "apply", "-v", "--whitespace=nowarn", file, NULL};
	int rc;

	if (!ceiling || !file)
		return hb_error_set(e, -ENOMEM, "out of memory");
	fprintf(g->log, "== %s\n", patch);
	rc = child_run(&c, argv, log_line, g);
	if (!rc)
		return 0;
	return hb_error_set(e, -EIO, "kernel %s: %s does not apply to %s; see %s", g->b->v->name,
			    patch, g->b->label, g->log_path);
}

static int apply_patches(struct building *g, const char *src, struct hb_error *e)
{
	json_t *patch;
	size_t i;
	int rc = 0;

	json_array_foreach (g->b->v->patches, i, patch)
		if (!rc)
			rc = apply_patch(g, src, json_string_value(patch), e);
	return rc;
}

/* Write all fragments into one file, in order; @first may be NULL. */
static int join_fragments(const struct kbuild *b, const char *first, const char *path)
{
	HB_FCLOSE FILE *out = fopen(path, "we");
	json_t *fragment;
	size_t i;

	if (!out)
		return -errno;
	if (first) {
		HB_FREE char *text = NULL;
		int rc = hb_file_read(first, &text, NULL);

		if (rc)
			return rc;
		fputs(text, out);
	}
	json_array_foreach (b->v->fragments, i, fragment) {
		HB_FREE char *file = variant_input(b->root, json_string_value(fragment));
		HB_FREE char *text = NULL;
		int rc = file ? hb_file_read(file, &text, NULL) : -ENOMEM;

		if (rc)
			return rc;
		fprintf(out, "%s\n", text);
	}
	return fflush(out) ? -errno : 0;
}

/* make -C SRC O=OBJ TARGET */
static int make_target(struct building *g, const char *src, const char *obj, const char *target,
		       child_line line, struct hb_error *e)
{
	HB_FREE char *output = hb_strf("O=%s", obj);
	HB_FREE char *jobs = hb_strf("-j%u", g->jobs);
	HB_FREE char *all = hb_strf("KCONFIG_ALLCONFIG=%s.all", obj);
	const char *env[ARRAY_SIZE(build_env) + 1];
	struct child c = {.env = env, .unset = build_unset};
	char *argv[] = {"make", "--no-print-directory", "-C", (char *)src, output,
			jobs,	(char *)target,		NULL};
	int rc;

	if (!output || !jobs || !all)
		return hb_error_set(e, -ENOMEM, "out of memory");
	memcpy(env, build_env, sizeof(build_env));
	env[ARRAY_SIZE(build_env) - 1] = all;
	env[ARRAY_SIZE(build_env)] = NULL;
	fprintf(g->log, "== make %s\n", target);
	rc = child_run(&c, argv, line, g);
	if (!rc)
		return 0;
	return hb_error_set(e, -EIO, "kernel %s: make %s exited with %d; see %s", g->b->v->name,
			    target, rc, g->log_path);
}

static int configure(struct building *g, const char *src, const char *obj, struct hb_error *e)
{
	const struct variant *v = g->b->v;
	HB_FREE char *all = hb_strf("%s.all", obj);
	HB_FREE char *config = hb_strf("%s/.config", obj);
	int rc;

	if (!all || !config)
		return hb_error_set(e, -ENOMEM, "out of memory");
	rc = join_fragments(g->b, v->config, v->config ? config : all);
	if (rc)
		return hb_error_set(e, rc, "kernel %s: cannot join its configuration: %s", v->name,
				    strerror(-rc));
	if (!v->config)
		rc = make_target(g, src, obj, "allnoconfig", log_line, e);
	if (!rc)
		rc = make_target(g, src, obj, "olddefconfig", log_line, e);
	if (!rc)
		rc = kbuild_check_config(g->b->root, v->fragments, config, e);
	if (rc != -EIO || v->strict || !e)
		return rc;
	fprintf(stderr, "hugebench: kernel %s (strict = no): %s\n", v->name, e->text);
	e->text[0] = 0;
	return 0;
}

static int copy_file(const char *from, const char *to)
{
	char *argv[] = {"cp", (char *)from, (char *)to, NULL};

	return hb_run(argv, -1) ? -EIO : 0;
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

static int build_steps(struct building *g, json_t **facts, struct hb_error *e)
{
	HB_FREE char *src = hb_strf("%s/src", g->b->work);
	HB_FREE char *obj = hb_strf("%s/obj", g->b->work);
	int rc;

	if (!src || !obj)
		return hb_error_set(e, -ENOMEM, "out of memory");
	rc = hb_mkdir_all(obj);
	if (rc)
		return hb_error_set(e, rc, "cannot make %s: %s", obj, strerror(-rc));
	fprintf(stderr, "kernel %s: preparing %s\n", g->b->v->name, g->b->label);
	rc = source_unpack(&g->b->v->source, g->b->cache, src, !g->b->keep, e);
	if (!rc)
		rc = apply_patches(g, src, e);
	if (!rc)
		rc = configure(g, src, obj, e);
	g->compiling = hb_now_ns();
	if (!rc)
		rc = make_target(g, src, obj, "bzImage", build_line, e);
	if (g->terminal && g->compiled)
		fputs("\n", stderr);
	return rc ? rc : collect(g, obj, facts, e);
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
			     .expected = expected_read(b),
			     .started = hb_now_ns()};
	int rc = hb_remove_all(b->work);

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
	if (!rc)
		expected_write(b, g.compiled);
	if (g.log)
		fclose(g.log);
	free(g.log_path);
	return rc;
}

/* A wanted line: where it stands and what it says. */
struct wanted {
	const char *file;
	int line;
	char symbol[96];
	char value[160]; /* "n" for "is not set" */
};

struct wanted_list {
	struct wanted *v;
	size_t n;
};

/* "CONFIG_X=y" or "# CONFIG_X is not set" -> 1. */
static int parse_config_line(const char *line, struct wanted *w)
{
	char rest[32] = "";

	if (sscanf(line, "%95[A-Za-z0-9_]=%159[^\n]", w->symbol, w->value) == 2)
		return !strncmp(w->symbol, "CONFIG_", 7);
	if (sscanf(line, "# %95[A-Za-z0-9_] %31[^\n]", w->symbol, rest) == 2 &&
	    !strcmp(rest, "is not set") && !strncmp(w->symbol, "CONFIG_", 7)) {
		strcpy(w->value, "n");
		return 1;
	}
	return 0;
}

/* The last line for a symbol wins. */
static int wanted_put(struct wanted_list *l, const struct wanted *w)
{
	struct wanted *longer;

	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->v[i].symbol, w->symbol)) {
			l->v[i] = *w;
			return 0;
		}
	longer = reallocarray(l->v, l->n + 1, sizeof(*longer));
	if (!longer)
		return -ENOMEM;
	l->v = longer;
	l->v[l->n++] = *w;
	return 0;
}

static int wanted_read(struct wanted_list *l, const char *root, const char *fragment)
{
	HB_FREE char *path = variant_input(root, fragment);
	HB_FCLOSE FILE *f = path ? fopen(path, "re") : NULL;
	struct wanted w = {.file = fragment};
	char line[512];
	int rc = 0;

	if (!f)
		return path ? -errno : -ENOMEM;
	while (!rc && fgets(line, sizeof(line), f)) {
		w.line++;
		if (parse_config_line(line, &w))
			rc = wanted_put(l, &w);
	}
	return rc;
}

/* The value of @symbol in the text of a .config: "n" when it has none. */
static void config_value(const char *config, const char *symbol, char *value, size_t len)
{
	size_t n = strlen(symbol);

	snprintf(value, len, "n");
	for (const char *p = config; (p = strstr(p, symbol)); p += n)
		if ((p == config || p[-1] == '\n') && p[n] == '=') {
			snprintf(value, len, "%.*s", (int)strcspn(p + n + 1, "\n"), p + n + 1);
			return;
		}
}

static int report_lost(const struct wanted_list *l, const char *text, const char *config,
		       struct hb_error *e)
{
	char what[640] = "";
	size_t n = 0, lost = 0;

	for (size_t i = 0; i < l->n; i++) {
		char value[160];

		config_value(text, l->v[i].symbol, value, sizeof(value));
		if (!strcmp(value, l->v[i].value))
			continue;
		if (lost++ < 5 && n < sizeof(what))
			n += snprintf(what + n, sizeof(what) - n,
				      "%s%s:%d: %s=%s is wanted, it is %s", n ? "; " : "",
				      l->v[i].file, l->v[i].line, l->v[i].symbol, l->v[i].value,
				      value);
	}
	if (!lost)
		return 0;
	return hb_error_set(e, -EIO, "%zu configuration lines do not hold in %s: %s%s", lost,
			    config, what, lost > 5 ? "; ..." : "");
}

int kbuild_check_config(const char *root, const json_t *fragments, const char *config,
			struct hb_error *e)
{
	struct wanted_list l = {0};
	HB_FREE char *text = NULL;
	json_t *fragment;
	size_t i;
	int rc = hb_file_read(config, &text, NULL);

	if (rc)
		return hb_error_set(e, rc, "cannot read %s: %s", config, strerror(-rc));
	json_array_foreach (fragments, i, fragment) {
		if (!rc)
			rc = wanted_read(&l, root, json_string_value(fragment));
		if (rc)
			hb_error_set(e, rc, "cannot read %s: %s", json_string_value(fragment),
				     strerror(-rc));
	}
	if (!rc)
		rc = report_lost(&l, text, config, e);
	free(l.v);
	return rc;
}
