// SPDX-License-Identifier: GPL-2.0-or-later
/* The head of a report: what was run, where, how it was measured, on which kernels. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/exact.h"
#include "bench/base/json.h"
#include "bench/base/units.h"
#include "bench/report/report.h"

static const char *or_unknown(const char *s)
{
	return *s ? s : "unknown";
}

static void title(const struct compare_model *m, struct doc *d)
{
	HB_FREE char *arms = strdup("");

	for (unsigned int i = 0; i < m->narms && arms; i++) {
		char *more = hb_strf("%s%s%s", arms,
				     !i			? ""
				     : i + 1 < m->narms ? ", "
							: " and ",
				     m->arms[i].label);

		free(arms);
		arms = more;
	}
	doc_heading(d, 1, "hugebench %s: %s (%s)",
		    or_unknown(json_text(json_object_get(m->runs[0]->run, "scenario"), "name")),
		    arms ? arms : "", m->runs[0]->mode);
}

static unsigned int guest_vcpus(const struct compare_model *m)
{
	return json_integer_value(
		json_object_get(json_object_get(m->runs[0]->run, "guest"), "vcpus"));
}

/* How many instructions of one CPU its turn is: see exact_machine(). */
static const char *turns_of(unsigned int vcpus)
{
	return vcpus > EXACT_TIMERS / EXACT_PERIODS ? "30 to 60" : "some hundred";
}

/* Mode exact, work that is not counted but measured. */
static void instructions_notice(const struct compare_model *m, struct doc *d)
{
	unsigned int vcpus = guest_vcpus(m);
	HB_FREE char *cpus =
		vcpus == 1
			? strdup("one CPU, an instruction per unit of time")
			: hb_strf("equal CPUs in turns of %s instructions, an instruction per unit "
				  "of time each",
				  turns_of(vcpus));

	doc_paragraph(d,
		      "EXACT: QEMU's TCG executed the guest's %s; a latency is the instructions "
		      "that one CPU executes meanwhile, waiting included, a rate is per million of "
		      "them (Minsn), and a boot's seed decides %s. This machine shows the order "
		      "and the length of what holds locks, and who waits for whom; it has no "
		      "caches, no memory latency, no cost of moving a cache line and no NUMA "
		      "distance, so what only saves these is invisible.",
		      cpus ? cpus : "CPUs",
		      vcpus == 1 ? "what is random in it" : "how the turns interleave");
}

static void mode_notice(const struct compare_model *m, struct doc *d)
{
	const char *mode = m->runs[0]->mode;

	if (m->forced)
		doc_paragraph(d, "FORCED: this report compares what hugebench would refuse: %s.",
			      m->forced);
	if (!strcmp(mode, "emulated"))
		doc_paragraph(d, "EMULATED: QEMU's TCG executed the guest, several vCPUs on host "
				 "threads. Ratios between the arms, counts and verdicts mean "
				 "something; absolute times and rates do not.");
	else if (!strcmp(mode, "exact") && !compare_is_exact(m))
		instructions_notice(m, d);
	else if (!strcmp(mode, "exact"))
		doc_paragraph(d,
			      "EXACT: QEMU's TCG executed the guest on one vCPU and counted its "
			      "instructions. A figure is a number of guest instructions, the same "
			      "in every run of this kernel and guest image on any machine; it is "
			      "no time, and says nothing about cache misses or contention between "
			      "CPUs.");
	else if (!strcmp(mode, "native"))
		doc_paragraph(d, "NATIVE: measured on the running kernel, without a VM.");
	else if (!strcmp(mode, "metal"))
		doc_paragraph(d, "METAL: this machine itself booted the kernels, by kexec from its "
				 "own, and started again through its firmware after every boot of "
				 "one. No VM.");
}

/* The CPUs of mode exact may be unequal with this QEMU. */
static void equality_notice(const struct compare_model *m, struct doc *d)
{
	const char *qemu = json_text(m->runs[0]->environment, "qemu");
	HB_FREE char *doubt = NULL;

	if (strcmp(m->runs[0]->mode, "exact") || compare_is_exact(m))
		return;
	doubt = exact_doubt(guest_vcpus(m), qemu);
	if (doubt)
		doc_paragraph(d, "UNEQUAL: %s.", doubt);
}

/*
 * Where the guests ran and their memory lay; "" when it is not known. Guests of mode exact have no
 * memory that was prepared for them. Owned by the caller.
 */
static char *guest_place(const json_t *environment)
{
	const char *placement = json_text(environment, "placement");
	const char *memory = json_text(environment, "memory_backing");

	if (!*placement)
		return strdup("");
	return hb_strf(" %s.%s%s%s Host clock: %s.", placement, *memory ? " Guest memory: " : "",
		       memory, *memory ? "." : "", or_unknown(json_text(environment, "clock")));
}

static void machine(const struct compare_model *m, struct doc *d)
{
	const json_t *host = m->runs[0]->environment;
	const json_t *guest = json_object_get(m->runs[0]->run, "guest");
	json_int_t host_memory = json_integer_value(json_object_get(host, "host_memory"));
	json_int_t guest_memory = json_integer_value(json_object_get(guest, "memory"));
	json_int_t page = json_integer_value(json_object_get(guest, "huge_page"));
	HB_FREE char *place = guest_place(host);
	char sizes[3][32];

	hb_format_size(sizes[0], sizeof(sizes[0]), host_memory);
	hb_format_size(sizes[1], sizeof(sizes[1]), guest_memory);
	if (page)
		hb_format_size(sizes[2], sizeof(sizes[2]), page);
	else
		snprintf(sizes[2], sizeof(sizes[2]), "unknown size");
	if (!guest) {
		doc_paragraph(d, "Machine: %s, %lld CPUs, %s, %s %s.",
			      or_unknown(json_text(host, "cpu_model")),
			      (long long)json_integer_value(json_object_get(host, "cpus")),
			      sizes[0],
			      !strcmp(m->runs[0]->mode, "metal") ? "its own kernel" : "kernel",
			      or_unknown(json_text(host, "host_kernel")));
		return;
	}
	doc_paragraph(d,
		      "Machine: %s, %lld CPUs, %s, host kernel %s. Guest: QEMU %s, accelerator %s, "
		      "%lld vCPUs, %lld NUMA nodes, %s, huge pages of %s.%s",
		      or_unknown(json_text(host, "cpu_model")),
		      (long long)json_integer_value(json_object_get(host, "cpus")), sizes[0],
		      or_unknown(json_text(host, "host_kernel")),
		      or_unknown(json_text(host, "qemu")),
		      or_unknown(json_text(host, "accelerator")),
		      (long long)json_integer_value(json_object_get(guest, "vcpus")),
		      (long long)json_integer_value(json_object_get(guest, "nodes")), sizes[1],
		      sizes[2], place ? place : "");
}

static void method_exact(struct doc *d)
{
	doc_paragraph(
		d,
		"Method: boots of an arm with one seed must give the same digits; where one does "
		"not, they are INVALID and the figure that moved is named. Other seeds are "
		"other layouts of memory, on which the length of some searches depends: a "
		"figure is the least that the operation took in any of them. A change is the "
		"difference of two such numbers and has no interval: \"better\" or \"worse\", "
		"be it by one instruction, is what all pairs of boots with one seed agree on, "
		"\"same\" what differs by nothing, else it is \"unclear\". The mean, which has the "
		"interrupts and the refills of "
		"allocators' caches in it, is in summary.csv.");
}

/* Main figures that both arms have, with and without the boots for a test. */
static size_t main_figures(const struct compare_model *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->ncomparisons; i++) {
		const struct comparison *c = &m->comparisons[i];
		const struct compare_metric *metric = compare_metric(m, c);

		n += metric->family == COMPARE_MAIN && metric->judged &&
		     !isnan(c->change.log_ratio) && compare_is_shown(m, c->pair);
	}
	return n;
}

/* Which figures carry verdicts, and what these promise. */
static void verdicts(const struct compare_model *m, struct doc *d)
{
	const size_t *tested = m->tested[m->only_controls];
	size_t figures = main_figures(m);
	char untested[64] = "";

	if (!m->npairs)
		return;
	if (!tested[COMPARE_MAIN]) {
		doc_paragraph(d,
			      "Verdicts: none, for no main figure has two boots per arm to test; "
			      "a verdict takes %u.",
			      stats_rank_min_boots(STATS_ALPHA));
		return;
	}
	if (figures > tested[COMPARE_MAIN])
		snprintf(untested, sizeof(untested), ", %zu of them without the boots for a test",
			 figures - tested[COMPARE_MAIN]);
	doc_paragraph(
		d,
		"Verdicts: main figures, fixed before the run, are the throughput of each workload "
		"and p99 of its latencies, here %zu%s. \"better\" and \"worse\" need p of at most "
		"%.2g that nothing differs, \"same\" that the arms differ by %.2g %% or more, each "
		"for the total and for the typical boot, after Holm's correction over all of them "
		"(at most %.2g %% of such reports hold a false verdict; up to twice that where one "
		"arm's boots spread five times as widely as the other's). \"better\" and "
		"\"worse\" need an exact rank test below %.2g too; without a spread or a logarithm "
		"(zeros) a test without a model decides. Every verdict takes %u boots per arm. "
		"Else: "
		"\"unclear\".%s",
		figures, untested, m->rule.alpha, 100 * m->rule.margin, 100 * m->rule.alpha,
		STATS_ALPHA, stats_rank_min_boots(STATS_ALPHA),
		tested[COMPARE_SECONDARY]
			? " In brackets: secondary figures, to look into (Benjamini and Hochberg's "
			  "procedure: on average at most one in twenty of these is false)."
			: "");
}

/* Some interval is not printed for its width. */
static bool has_wide_interval(const struct compare_model *m)
{
	for (size_t i = 0; i < m->ncomparisons; i++) {
		const struct stats_change *c = &m->comparisons[i].change;

		if (isfinite(c->log_low) && isfinite(c->log_high) &&
		    !(report_sensible(c->log_low) && report_sensible(c->log_high)))
			return true;
	}
	return false;
}

/* What was repeated, and in what order. */
static const char *repetition(const struct compare_model *m)
{
	for (unsigned int i = 0; i < m->narms; i++)
		if (m->arms[i].one_boot)
			return "repetitions within one boot of the machine are no boots, for two "
			       "boots differ by more than they do: no verdict rests on them, and a "
			       "change has no interval";
	if (m->runs[1])
		return "the unit of repetition is the boot; the two runs were made one after the "
		       "other";
	if (m->narms == 1)
		return "the unit of repetition is the boot; the cells of a repetition are in a "
		       "seeded order";
	return "the unit of repetition is the boot; boots of the arms are interleaved in a seeded "
	       "order";
}

static void method(const struct compare_model *m, struct doc *d)
{
	if (compare_is_exact(m)) {
		method_exact(d);
		return;
	}
	doc_paragraph(d,
		      "Method: %s. Figures of an arm: total count over total "
		      "time, percentiles of the merged histograms, ± the variation between "
		      "boots. Change: ratio with its 95 %% interval (Welch's t on the logarithm, "
		      "standard errors by the jackknife over boots).",
		      repetition(m));
	if (has_wide_interval(m))
		doc_paragraph(d, "An interval that reaches beyond a factor of 10,000 says nothing "
				 "and is left out (\"-\"): too few boots for so much variation.");
	verdicts(m, d);
	if (m->sequential.max_boots)
		doc_paragraph(
			d,
			"Boots were added until every main figure had a verdict, at least %u "
			"and at most %u per arm; there are %lld, why is said at the end. The "
			"error of %.2g is spent over these looks (Lan and DeMets, increments "
			"after Slud and Wei), and intervals are repeated confidence intervals.",
			m->sequential.min_boots, m->sequential.max_boots,
			(long long)json_integer_value(
				json_object_get(m->runs[0]->run, "repetitions")),
			m->rule.alpha);
}

static void completeness(const struct compare_model *m, struct doc *d)
{
	for (unsigned int r = 0; r < 2 && m->runs[r]; r++) {
		const struct load_run *run = m->runs[r];

		if (run->planned && run->ncells < run->planned)
			doc_paragraph(d,
				      "INCOMPLETE: %zu of %u planned boots of run %s can be used.",
				      run->ncells, run->planned, run->name);
	}
}

static const struct load_cell *first_hello(const struct compare_arm *arm)
{
	for (size_t i = 0; i < arm->run->ncells; i++)
		if (arm->run->cells[i].kernel == arm->name && *arm->run->cells[i].build_id)
			return &arm->run->cells[i];
	return NULL;
}

static void kernels(const struct compare_model *m, struct doc *d)
{
	doc_heading(d, 2, "Kernels");
	for (unsigned int i = 0; i < m->narms; i++) {
		const json_t *k = m->arms[i].kernel, *series = json_object_get(k, "series"), *patch;
		const struct load_cell *hello = first_hello(&m->arms[i]);
		const char *version = json_text(k, "version"), *id = json_text(k, "build_id");
		const char *note = json_text(k, "note");
		HB_FREE char *patches = strdup("");
		size_t n;

		json_array_foreach (series, n, patch) {
			char *more =
				hb_strf("%s%s %s", patches ? patches : "", n ? "," : "; patches:",
					json_is_string(patch) ? json_string_value(patch) : "?");
			char *suffix = more ? strstr(more, ".patch") : NULL;

			if (suffix)
				*suffix = 0;
			free(patches);
			patches = more;
		}
		if (!*version && hello)
			version = hello->kernel_version;
		if (!*id && hello)
			id = hello->build_id;
		doc_item(d, m->arms[i].label, "%s, build-id %.16s, %s%s%s%s%s", or_unknown(version),
			 or_unknown(id), or_unknown(json_text(k, "source")),
			 m->arms[i].control_of >= 0 ? ", control: unchanged repeat of "
			 : json_array_size(series)  ? patches
						    : ", unpatched",
			 m->arms[i].control_of >= 0 ? m->arms[m->arms[i].control_of].label : "",
			 *note ? "; " : "", note);
	}
}

static const char *source_of(const struct compare_model *m, unsigned int arm)
{
	return json_text(m->arms[arm].kernel, "source");
}

/* Has an arm before @arm the source of that one? */
static bool source_is_named(const struct compare_model *m, unsigned int arm)
{
	for (unsigned int i = 0; i < arm; i++)
		if (!strcmp(source_of(m, i), source_of(m, arm)))
			return true;
	return false;
}

/* "base, hinode from linux-source-5.10 5.10.262-1; v6.1 from ..."; owned by the caller. */
static char *sources_list(const struct compare_model *m)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	for (unsigned int i = 0; f && i < m->narms; i++) {
		if (source_is_named(m, i))
			continue;
		fprintf(f, "%s%s", i ? "; " : "", m->arms[i].label);
		for (unsigned int k = i + 1; k < m->narms; k++)
			if (!strcmp(source_of(m, i), source_of(m, k)))
				fprintf(f, ", %s", m->arms[k].label);
		fprintf(f, " from %s", or_unknown(source_of(m, i)));
	}
	if (!f || fclose(f)) {
		free(text);
		text = NULL;
	}
	return text;
}

/* Arms of several sources differ by more than patches, which a table does not show. */
static void sources(const struct compare_model *m, struct doc *d)
{
	HB_FREE char *list = NULL;
	unsigned int named = 0;

	for (unsigned int i = 0; i < m->narms; i++)
		named += !source_is_named(m, i);
	if (named < 2)
		return;
	list = sources_list(m);
	if (!list)
		d->failed = true;
	else
		doc_paragraph(d,
			      "NOT ONE SOURCE: %s. Arms of different sources differ by more than "
			      "patches: by all that was changed in between and by their "
			      "configurations. No figure here says which change it comes from.",
			      list);
}

void report_title(const struct compare_model *m, struct doc *d)
{
	title(m, d);
	mode_notice(m, d);
	equality_notice(m, d);
	completeness(m, d);
}

void report_introduce(const struct compare_model *m, struct doc *d)
{
	sources(m, d);
	machine(m, d);
	method(m, d);
	d->main = false;
	kernels(m, d);
}
