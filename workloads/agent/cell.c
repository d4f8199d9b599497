// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/agent/cell.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/restore.h"
#include "workloads/agent/cell_state.h"
#include "workloads/agent/figures.h"
#include "workloads/agent/kmsg.h"
#include "workloads/agent/machine.h"

#define START_TIMEOUT_NS (120 * NSEC_PER_SEC)
/* How long a file's pages may take to come back to the pool after its last user is gone. */
#define CONSERVE_WAIT_NS (3 * NSEC_PER_SEC)
#define CONSERVE_POLL_NS (NSEC_PER_SEC / 20)
#define LOG_QUIET_NS	 (20 * 1000000ULL)

/* Antagonists are made to find a kernel's bugs, and this kernel has other users. */
static int native_allowed(const struct run *r, struct hb_error *e)
{
	for (unsigned int i = 0; i < r->cell.ninstances && r->c->native && !r->c->yes; i++)
		if (r->cell.instances[i].ops->role == ROLE_ANTAGONIST)
			return hb_error_set(e, -EPERM,
					    "%s beside page faults may hang a kernel that has a "
					    "bug there, and this is the running one; --yes allows "
					    "it",
					    r->cell.instances[i].ops->name);
	return 0;
}

static int pool_prepare(struct run *r, struct hb_error *e)
{
	uint64_t page = r->cell.huge_page_bytes, pages = 0;
	int rc;

	for (unsigned int i = 0; i < r->cell.ninstances; i++) {
		const struct instance *in = &r->cell.instances[i];

		if (in->ops->huge_pages)
			pages += in->ops->huge_pages(in->options, in->ntasks);
	}
	if (!page)
		return pages ? hb_error_set(e, -EOPNOTSUPP,
					    "the kernel has no huge pages (CONFIG_HUGETLBFS)")
			     : 0;
	rc = hugetlb_pool_read(page, &r->before, e);
	if (!rc && pages && r->c->native && !r->c->yes) {
		uint64_t usable = r->before.all.free - r->before.all.reserved;

		if (usable < pages)
			return hb_error_set(e, -EPERM,
					    "%" PRIu64 " huge pages of %" PRIu64
					    " KiB are needed, %" PRIu64
					    " are free; --yes allows to grow the pool (it is put "
					    "back afterwards)",
					    pages, page >> 10, usable);
		return 0;
	}
	if (!rc && pages)
		rc = hugetlb_pool_grow(page, pages, r->restore, e);
	return rc ? rc : hugetlb_pool_read(page, &r->before, e);
}

/* Workloads first: antagonists look for the target that they publish. */
static int setup_role(struct run *r, enum workload_role role, struct hb_error *e)
{
	for (unsigned int i = 0; i < r->cell.ninstances; i++) {
		struct instance *in = &r->cell.instances[i];
		int rc;

		if (in->ops->role != role)
			continue;
		r->set_up |= 1u << i;
		rc = in->ops->setup(in, e);
		if (rc)
			return hb_error_prefix(e, rc, "%s", in->ops->name);
	}
	return 0;
}

/* How evenly the tasks of an instance came on: operations, those outside the measured phase too. */
static void note_shares(struct instance *in)
{
	uint64_t least = UINT64_MAX, most = 0;

	for (unsigned int k = 0; k < in->ntasks; k++) {
		uint64_t n = atomic_load(&in->task[k]->progress);

		least = n < least ? n : least;
		most = n > most ? n : most;
	}
	if (in->ntasks > 1)
		instance_note(in, "shares", "a task did %" PRIu64 " to %" PRIu64 " operations",
			      least, most);
}

static void reports(struct run *r)
{
	struct hb_error e = {""};
	int rc;

	rc = gang_check(&r->gang, &e);
	if (rc)
		cell_failed(r, rc, &e);
	for (unsigned int i = 0; i < r->cell.ninstances && !r->verdict; i++) {
		struct instance *in = &r->cell.instances[i];

		note_shares(in);
		rc = in->ops->report ? in->ops->report(in, &e) : 0;
		if (rc)
			cell_failed(r, rc, &e);
	}
	link_phase(r->c->link, "collect");
	if (!r->verdict)
		r->waits = observe_report(&r->observe, &r->cell);
	rc = figures_metrics(&r->cell, r->c->link, &r->metrics, &e);
	if (rc)
		cell_failed(r, rc, &e);
}

/* Where task_place() puts the tasks. */
static void note_placement(struct run *r)
{
	char text[512];
	size_t at = snprintf(text, sizeof(text),
			     r->gang.nnodes ? "tasks in turn on node" : "tasks anywhere");

	for (unsigned int i = 0; i < r->gang.nnodes && at < sizeof(text); i++)
		at += snprintf(text + at, sizeof(text) - at, "%s %d", i ? "," : "",
			       r->gang.node[i]);
	cell_note(r, "placement", text);
}

/* Fixed work is not observed: all of it would be in the figures. */
static int observe_setup(struct run *r, struct hb_error *e)
{
	return r->cell.work ? 0
			    : observe_open(&r->observe, json_object_get(r->c->spec, "observe"),
					   !r->cell.native, r->notes, e);
}

static int run_gang(struct run *r, struct hb_error *e)
{
	int rc = observe_setup(r, e);

	if (!rc && r->cell.exact)
		rc = machine_start(r->machine, e);
	if (!rc)
		rc = gang_start(&r->gang, r->nodes, START_TIMEOUT_NS, e);
	if (rc)
		return rc;
	note_placement(r);
	r->dog = (struct watchdog){.gang = &r->gang,
				   .link = r->c->link,
				   .stall_ns = r->stall_ns,
				   .kmsg = r->c->kmsg,
				   .parameters = r->parameters,
				   .end = r->c->end};
	if (r->cell.work) {
		cell_phases_work(r);
	} else {
		rc = watchdog_start(&r->dog, e);
		if (rc)
			return rc;
		cell_phases_timed(r);
	}
	reports(r);
	return 0;
}

static void teardown(struct run *r)
{
	watchdog_agent(&r->dog, "teardown", 2 * r->stall_ns + CELL_KILL_WAIT_NS);
	gang_kill(&r->gang);
	observe_close(&r->observe);
	for (unsigned int i = r->cell.ninstances; i > 0; i--) {
		struct instance *in = &r->cell.instances[i - 1];

		if (r->set_up & (1u << (i - 1)) && in->ops->teardown)
			in->ops->teardown(in);
	}
	watchdog_agent(&r->dog, NULL, 0);
}

static void check_conserved(struct run *r)
{
	uint64_t deadline = hb_now_ns() + CONSERVE_WAIT_NS;
	struct hb_error e = {""};
	struct hugetlb_pool after;
	int rc;

	if (!r->before.page)
		return;
	for (;;) {
		if (hugetlb_pool_read(r->before.page, &after, &e)) {
			cell_verdict(r, "INVALID", e.text);
			return;
		}
		rc = hugetlb_pool_conserved(&r->before, &after, &e);
		if (!rc || hb_now_ns() > deadline)
			break;
		hb_sleep_until_ns(hb_now_ns() + CONSERVE_POLL_NS);
	}
	json_decref(r->conservation);
	r->conservation =
		json_pack("{s:b, s:o, s:o}", "ok", !rc, "before", hugetlb_pool_json(&r->before),
			  "after", hugetlb_pool_json(&after));
	if (rc)
		cell_verdict(r, "DIRTY", e.text);
}

/* The last of the log's lines goes with the reason: whom the kernel killed. */
static void add_to_reason(struct run *r, const json_t *trouble)
{
	const json_t *line = json_array_get(trouble, json_array_size(trouble) - 1);
	size_t at = strlen(r->reason);

	snprintf(r->reason + at, sizeof(r->reason) - at, "; the kernel: %s",
		 json_string_value(line));
}

static void check_log(struct run *r)
{
	json_t *lines = kmsg_read(r->c->kmsg, LOG_QUIET_NS);
	json_t *trouble = kmsg_trouble(lines, r->c->native);

	if (r->c->kmsg < 0)
		cell_note(r, "log", "not read, so not searched for warnings");
	/* The kernel's own word weighs more than what followed from it, but that a guest has not
	 * the memory for what is to run in it is no fault of the kernel. */
	if (r->verdict && kmsg_is_memory(trouble)) {
		add_to_reason(r, trouble);
	} else if (json_array_size(trouble)) {
		r->verdict = NULL;
		cell_verdict(r, "DIRTY", json_string_value(json_array_get(trouble, 0)));
	}
	if (json_array_size(trouble))
		json_array_extend(r->evidence, lines);
	json_decref(lines);
	json_decref(trouble);
}

static void run_cell(struct run *r)
{
	struct hb_error e = {""};
	int rc = cell_spec_parse(r, &e);

	if (!rc)
		rc = native_allowed(r, &e);
	if (!rc)
		rc = pool_prepare(r, &e);
	if (!rc)
		rc = gang_prepare(&r->gang, &r->cell, &e);
	if (!rc)
		rc = setup_role(r, ROLE_WORKLOAD, &e);
	if (!rc)
		rc = setup_role(r, ROLE_ANTAGONIST, &e);
	if (!rc)
		rc = run_gang(r, &e);
	if (rc)
		cell_failed(r, rc, &e);
	teardown(r);
	check_conserved(r);
	check_log(r);
	watchdog_stop(&r->dog);
}

static json_t *result_json(struct run *r)
{
	return json_pack("{s:s, s:s, s:O, s:O, s:O, s:O, s:O, s:O*}", "verdict",
			 r->verdict ? r->verdict : "OK", "reason", r->reason, "evidence",
			 r->evidence, "metrics", r->metrics, "notes", r->notes, "conservation",
			 r->conservation, "parameters", r->parameters, "waits", r->waits);
}

static void release(struct run *r)
{
	for (unsigned int i = 0; i < r->cell.ninstances; i++) {
		free(r->cell.instances[i].options);
		json_decref(r->cell.instances[i].gauges);
	}
	gang_free(&r->gang);
	free(r->cell.instances);
	free(r->restore);
	json_decref(r->evidence);
	json_decref(r->metrics);
	json_decref(r->notes);
	json_decref(r->waits);
	json_decref(r->conservation);
	json_decref(r->parameters);
}

/* Where the restore note goes; one that a killed run left is carried out before anything is
 * measured. */
static int restore_begin(struct run *r, struct hb_error *e)
{
	int rc;

	if (!r->c->native || !r->c->yes)
		return 0;
	r->restore = restore_path();
	if (!r->restore)
		return hb_error_set(e, -ENOENT,
				    "neither XDG_CACHE_HOME nor HOME says where the restore note "
				    "may be");
	rc = restore_pending(r->restore, e);
	return rc > 0 ? restore_apply(r->restore, e) : rc;
}

int cell_run(const struct cell_config *c, struct hb_error *e)
{
	struct run r = {.c = c,
			.evidence = json_array(),
			.notes = json_array(),
			.parameters = json_object(),
			.metrics = json_array(),
			.conservation = json_object()};
	int rc;

	r.gang.gun[0] = r.gang.gun[1] = r.gang.ready[0] = r.gang.ready[1] = -1;
	link_phase(c->link, "setup");
	rc = restore_begin(&r, e);
	if (rc)
		cell_verdict(&r, "INVALID", e->text);
	else
		run_cell(&r);
	if (!rc && r.restore && restore_apply(r.restore, e))
		cell_verdict(&r, "INVALID", e->text);
	rc = link_send(c->link, WIRE_RESULT, result_json(&r), e);
	if (!rc)
		rc = r.quit;
	release(&r);
	return rc;
}
