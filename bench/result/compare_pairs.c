// SPDX-License-Identifier: GPL-2.0-or-later
/* Which arms there are, which of them are paired, and what forbids it. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/base/json.h"
#include "bench/base/kconfig.h"
#include "bench/host/environment.h"
#include "bench/result/compare.h"

static int add_reason(char **reasons, char *reason)
{
	char *all;

	if (!reason)
		return -ENOMEM;
	all = *reasons ? hb_strf("%s; %s", *reasons, reason) : strdup(reason);
	free(reason);
	if (!all)
		return -ENOMEM;
	free(*reasons);
	*reasons = all;
	return 0;
}

/* The arm of the same run that this kernel repeats unchanged, -1: none. */
static int control_partner(const struct compare_model *m, const struct load_run *run,
			   const json_t *kernel)
{
	const char *original = json_text(kernel, "control_of");

	for (unsigned int a = 0; a < m->narms && *original; a++)
		if (m->arms[a].run == run && !strcmp(m->arms[a].name, original))
			return a;
	return -1;
}

/* Were two measurements of one cell made within a boot of the machine? A guest is always new. */
static bool one_boot(const struct load_run *run, const char *kernel)
{
	if (strcmp(run->mode, "native") && strcmp(run->mode, "metal"))
		return false;
	for (size_t i = 0; i < run->ncells; i++)
		for (size_t k = 0; k < i; k++) {
			const struct load_cell *a = &run->cells[i], *b = &run->cells[k];

			if (a->kernel == kernel && b->kernel == kernel && a->cell == b->cell &&
			    a->host_boot == b->host_boot)
				return true;
		}
	return false;
}

static int add_arms(struct compare_model *m, struct load_run *run, bool qualify)
{
	const json_t *k;
	size_t i;

	json_array_foreach (json_object_get(run->run, "kernels"), i, k) {
		struct compare_arm *arm = &m->arms[m->narms];
		const char *name = json_text(k, "name");

		arm->run = run;
		arm->kernel = k;
		arm->name = strings_put(run->strings, name);
		arm->label = qualify ? hb_strf("%s:%s", run->name, name) : strdup(name);
		if (!arm->name || !arm->label)
			return -ENOMEM;
		arm->control_of = control_partner(m, run, k);
		arm->one_boot = one_boot(run, arm->name);
		m->narms++;
	}
	return 0;
}

/* Number of patches of @a when @b has all of them and more, else 0. */
static size_t subset_size(const json_t *a, const json_t *b)
{
	const json_t *x, *y;
	size_t i, k;

	if (json_array_size(a) >= json_array_size(b))
		return 0;
	json_array_foreach (a, i, x) {
		bool found = false;

		json_array_foreach (b, k, y)
			found = found || json_equal(x, y);
		if (!found)
			return 0;
	}
	return json_array_size(a);
}

static int add_pair(struct compare_model *m, unsigned int a, unsigned int b, bool control)
{
	struct compare_pair *more = realloc(m->pairs, (m->npairs + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	m->pairs = more;
	m->pairs[m->npairs++] = (struct compare_pair){.a = a, .b = b, .control = control};
	return 0;
}

/*
 * Within a run every arm is set against the first one, and against the arm whose patches are the
 * largest part of its own: two arms that differ by one series.
 */
static int pair_within(struct compare_model *m, unsigned int b)
{
	const json_t *series = json_object_get(m->arms[b].kernel, "series");
	unsigned int nearest = 0;
	size_t most = 0;
	int err;

	if (m->arms[b].control_of >= 0)
		return add_pair(m, m->arms[b].control_of, b, true);
	for (unsigned int a = 1; a < m->narms; a++) {
		size_t n = subset_size(json_object_get(m->arms[a].kernel, "series"), series);

		/* A step that did not build has no figures. */
		if (a != b && m->arms[a].control_of < 0 && n > most &&
		    !json_object_get(m->arms[a].kernel, "broken")) {
			most = n;
			nearest = a;
		}
	}
	err = add_pair(m, 0, b, false);
	return err || !nearest ? err : add_pair(m, nearest, b, false);
}

/* Across two runs kernels of one name are paired; without such, each with the first run's first. */
static int pair_across(struct compare_model *m, unsigned int first_arms)
{
	int err = 0;

	for (unsigned int a = 0; a < first_arms; a++)
		for (unsigned int b = first_arms; b < m->narms && !err; b++)
			if (!strcmp(m->arms[a].name, m->arms[b].name))
				err = add_pair(m, a, b, false);
	if (m->npairs)
		return err;
	for (unsigned int b = first_arms; b < m->narms && !err; b++)
		err = add_pair(m, 0, b, false);
	return err;
}

/* Beside the environment: members of run.json that two runs must have alike, and their names. */
static const struct {
	const char *object, *key, *what;
	bool exact; /* in mode exact alone, whose boots are paired by their seeds */
} alike[] = {
	{NULL, "mode", "mode", false},
	{"scenario", "text", "scenario", false},
	{"scenario", "overrides", "overrides of the scenario", false},
	{"guest", "vcpus", "number of vCPUs", false},
	{"guest", "memory", "guest memory", false},
	{"guest", "nodes", "number of NUMA nodes", false},
	{NULL, "seed", "seed", true},
	{NULL, "repetitions", "number of seeds", true},
};

static char *difference(const char *what, const json_t *a, const json_t *b)
{
	if (json_is_string(a) && json_is_string(b) && !strpbrk(json_string_value(a), "\n") &&
	    !strpbrk(json_string_value(b), "\n"))
		return hb_strf("%s differs (%s, %s)", what, json_string_value(a),
			       json_string_value(b));
	if (json_is_integer(a) && json_is_integer(b))
		return hb_strf("%s differs (%lld, %lld)", what, (long long)json_integer_value(a),
			       (long long)json_integer_value(b));
	return hb_strf("%s differs", what);
}

static int check_runs(struct compare_model *m, char **reasons)
{
	char *environment = NULL;
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(alike) && !err; i++) {
		const json_t *a = m->runs[0]->run, *b = m->runs[1]->run;

		a = alike[i].object ? json_object_get(a, alike[i].object) : a;
		b = alike[i].object ? json_object_get(b, alike[i].object) : b;
		a = json_object_get(a, alike[i].key);
		b = json_object_get(b, alike[i].key);
		if (alike[i].exact && !compare_is_exact(m))
			continue;
		if ((a || b) && !json_equal(a, b))
			err = add_reason(reasons, difference(alike[i].what, a, b));
	}
	err = err
		      ?: environment_difference(m->runs[0]->environment, m->runs[1]->environment,
						m->runs[0]->mode, ENVIRONMENT_RUNS, &environment);
	return !err && environment ? add_reason(reasons, environment) : err;
}

/* Inside a run the configurations were compared when it was planned. */
static int check_config_within(struct compare_model *m, struct compare_pair *p, char **reasons)
{
	const char *a = m->arms[p->a].name, *b = m->arms[p->b].name;
	const json_t *d;
	size_t i;

	json_array_foreach (json_object_get(m->runs[0]->run, "config_diff"), i, d) {
		bool this_pair = (!strcmp(json_text(d, "a"), a) && !strcmp(json_text(d, "b"), b)) ||
				 (!strcmp(json_text(d, "a"), b) && !strcmp(json_text(d, "b"), a));

		if (this_pair && json_is_false(json_object_get(d, "explained")))
			return add_reason(reasons,
					  hb_strf("configurations of %s and %s differ by %zu lines "
						  "that the series does not explain",
						  a, b,
						  json_array_size(json_object_get(d, "lines"))));
	}
	return 0;
}

/* The lines by which the configurations of two arms differ, comments aside; NULL: not to be had. */
static json_t *config_lines(const struct compare_arm *a, const struct compare_arm *b)
{
	HB_FREE char *path_a = hb_strf("%s/%s", a->run->dir, json_text(a->kernel, "config_file"));
	HB_FREE char *path_b = hb_strf("%s/%s", b->run->dir, json_text(b->kernel, "config_file"));

	if (!path_a || !path_b || !*json_text(a->kernel, "config_file") ||
	    !*json_text(b->kernel, "config_file"))
		return NULL;
	return kconfig_diff(path_a, path_b, NULL);
}

static int check_config_across(struct compare_model *m, struct compare_pair *p, char **reasons)
{
	const struct compare_arm *a = &m->arms[p->a], *b = &m->arms[p->b];
	json_t *lines;
	bool known;
	size_t n;

	if (!strcmp(json_text(a->kernel, "config_sha256"), json_text(b->kernel, "config_sha256")))
		return 0;
	lines = config_lines(a, b);
	known = lines;
	n = json_array_size(lines);
	json_decref(lines);
	if (known && !n)
		return 0;
	if (!known)
		return add_reason(
			reasons, hb_strf("configurations of %s and %s differ", a->label, b->label));
	return add_reason(reasons, hb_strf("configurations of %s and %s differ by %zu lines",
					   a->label, b->label, n));
}

/* A run has no second one in itself, whatever it is called by. */
static int check_two(const struct compare_model *m, struct hb_error *e)
{
	struct stat a, b;

	if (!m->runs[1] || stat(m->runs[0]->dir, &a) || stat(m->runs[1]->dir, &b) ||
	    a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return 0;
	return hb_error_set(e, -EINVAL,
			    "%s and %s are one run, which nothing can be compared with; name it "
			    "once for its report, or another one beside it",
			    m->runs[0]->dir, m->runs[1]->dir);
}

/* Where both are known: a compiler's work would show as the kernels'. */
static int check_compilers(const struct compare_model *m, const struct compare_pair *p,
			   char **reasons)
{
	const struct compare_arm *a = &m->arms[p->a], *b = &m->arms[p->b];
	const char *with_a = json_text(a->kernel, "compiler");
	const char *with_b = json_text(b->kernel, "compiler");

	if (!*with_a || !*with_b || !strcmp(with_a, with_b))
		return 0;
	return add_reason(reasons, hb_strf("compiler of %s and %s differs (%s, %s)", a->label,
					   b->label, with_a, with_b));
}

static int refuse(struct compare_model *m, const struct compare_options *o, struct hb_error *e)
{
	char *reasons = NULL;
	int err = m->runs[1] ? check_runs(m, &reasons) : 0;

	for (unsigned int i = 0; i < m->npairs && !err; i++) {
		struct compare_pair *p = &m->pairs[i];

		if (m->runs[1]) {
			err = check_config_across(m, p, &reasons)
				      ?: check_compilers(m, p, &reasons);
			continue;
		}
		err = check_config_within(m, p, &p->refused) ?: check_compilers(m, p, &p->refused);
		if (!err && p->refused && o->force) {
			err = add_reason(&reasons, p->refused);
			p->refused = NULL;
		}
	}
	m->forced = reasons;
	if (err)
		return hb_error_set(e, err, "no memory");
	if (reasons && m->runs[1] && !o->force)
		return hb_error_set(e, -EXDEV,
				    "%s and %s may not be compared: %s; --force compares them and "
				    "marks the report",
				    m->runs[0]->dir, m->runs[1]->dir, reasons);
	return 0;
}

int compare_pairs(struct compare_model *m, const struct compare_options *o, struct hb_error *e)
{
	size_t n = json_array_size(json_object_get(m->runs[0]->run, "kernels"));
	unsigned int first_arms;
	int err = check_two(m, e);

	if (err)
		return err;
	if (m->runs[1])
		n += json_array_size(json_object_get(m->runs[1]->run, "kernels"));
	m->arms = calloc(n, sizeof(*m->arms));
	if (!m->arms)
		return hb_error_set(e, -ENOMEM, "no memory");
	err = add_arms(m, m->runs[0], m->runs[1]);
	first_arms = m->narms;
	if (m->runs[1]) {
		err = err ?: add_arms(m, m->runs[1], true);
		err = err ?: pair_across(m, first_arms);
	} else {
		for (unsigned int b = 1; b < m->narms && !err; b++)
			err = pair_within(m, b);
	}
	if (err)
		return hb_error_set(e, err, "no memory");
	m->only_controls = m->npairs;
	for (unsigned int i = 0; i < m->npairs; i++)
		m->only_controls = m->only_controls && m->pairs[i].control;
	return refuse(m, o, e);
}
