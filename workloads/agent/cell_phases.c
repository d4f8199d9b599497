// SPDX-License-Identifier: GPL-2.0-or-later
/* A cell from the start gun to the end of its tasks. */
#include <stdlib.h>

#include "workloads/agent/cell_state.h"
#include "workloads/agent/figures.h"
#include "workloads/agent/machine.h"

#define TICK_NS (NSEC_PER_SEC / 5)
/* For what the measured phase waits for; less than the host waits for a late phase. */
#define BEGIN_WAIT_NS (45 * NSEC_PER_SEC)
#define BEGIN_POLL_NS (NSEC_PER_SEC / 100)

/* The measured phase as the intervals cut it: from one snapshot of the counters to the next. */
struct cut {
	uint64_t start_ns, last_ns;
	uint64_t *last;
};

static void send_interval(struct run *r, struct cut *c)
{
	uint64_t now = hb_now_ns(), *counters = figures_snapshot(&r->cell);

	if (!c->last || !counters) {
		free(counters);
		return;
	}
	link_send(r->c->link, WIRE_INTERVAL,
		  json_pack("{s:I, s:I, s:o}", "t_ns", (json_int_t)(c->last_ns - c->start_ns),
			    "length_ns", (json_int_t)(now - c->last_ns), "counters",
			    figures_interval(&r->cell, c->last, counters)),
		  NULL);
	free(c->last);
	c->last = counters;
	c->last_ns = now;
}

/* Stay in the phase until @until, listening to the host. True while nothing speaks against going
 * on. */
static bool stay(struct run *r, uint64_t until)
{
	while (!r->quit && hb_now_ns() < until) {
		uint64_t now = hb_now_ns(), tick = now + TICK_NS < until ? now + TICK_NS : until;
		struct hb_error e = {""};
		enum wire_type type;
		json_t *payload;
		int rc;

		/* It has the link to itself, and ends the agent. */
		if (atomic_load(&r->dog.fired))
			watchdog_stop(&r->dog);
		rc = link_wait(r->c->link, tick, &type, &payload, &e);
		if (rc == 1) {
			json_decref(payload);
			r->quit |= type == WIRE_QUIT;
		} else if (rc < 0) {
			r->quit = 1;
		}
		gang_reap(&r->gang);
		if (gang_check(&r->gang, &e)) {
			cell_verdict(r, "INVALID", e.text);
			return false;
		}
	}
	return !r->quit;
}

/* The first instance that the measured phase waits for, or NULL. */
static const struct instance *not_begun(const struct cell *cell)
{
	for (unsigned int i = 0; i < cell->ninstances; i++) {
		const struct instance *in = &cell->instances[i];

		for (unsigned int k = 0; in->awaited && k < in->ntasks; k++)
			if (!atomic_load(&in->task[k]->begin_ns))
				return in;
	}
	return NULL;
}

/* True: all are in the measured phase that have to be. */
static bool await_begin(struct run *r)
{
	uint64_t until = hb_now_ns() + BEGIN_WAIT_NS;
	const struct instance *in;

	while ((in = not_begun(&r->cell))) {
		HB_FREE char *text = NULL;

		if (!stay(r, hb_now_ns() + BEGIN_POLL_NS))
			return false;
		if (hb_now_ns() < until)
			continue;
		text = hb_strf("%s did nothing for %llu s after the warm-up: its load, or this "
			       "machine, is too slow",
			       in->ops->name, BEGIN_WAIT_NS / NSEC_PER_SEC);
		cell_verdict(r, "INVALID", text ? text : "no memory");
		return false;
	}
	return true;
}

static void measure(struct run *r)
{
	struct cut cut = {0};
	uint64_t end;
	bool on;

	link_phase(r->c->link, "measure");
	observe_begin(&r->observe);
	gang_phase(&r->gang, PHASE_MEASURE);
	on = await_begin(r);
	cut.last = figures_snapshot(&r->cell);
	cut.start_ns = cut.last_ns = hb_now_ns();
	end = cut.start_ns + r->measure_ns;
	for (uint64_t at = cut.start_ns; on && at < end;) {
		at = end - at > r->interval_ns ? at + r->interval_ns : end;
		on = stay(r, at);
		send_interval(r, &cut);
	}
	free(cut.last);
}

static void prove_all(struct run *r)
{
	struct hb_error e = {""};

	for (unsigned int i = 0; i < r->cell.ninstances && !r->verdict; i++) {
		struct instance *in = &r->cell.instances[i];
		int rc = in->ops->prove ? in->ops->prove(in, &e) : 0;

		if (rc)
			cell_failed(r, rc, &e);
	}
}

static void turns(struct run *r, bool on)
{
	struct hb_error e = {""};
	int rc = r->cell.exact ? machine_turns(r->machine, on, &e) : 0;

	if (rc)
		cell_failed(r, rc, &e);
}

void cell_phases_timed(struct run *r)
{
	unsigned int left;

	turns(r, true);
	link_phase(r->c->link, "warmup");
	atomic_store(&r->dog.watch_tasks, 1);
	gang_fire(&r->gang);
	if (stay(r, hb_now_ns() + r->warmup_ns))
		measure(r);
	gang_phase(&r->gang, PHASE_PROVE);
	turns(r, false);
	watchdog_agent(&r->dog, "the observations", 4 * r->stall_ns);
	observe_end(&r->observe, &r->cell);
	watchdog_agent(&r->dog, "the proof", 4 * r->stall_ns);
	if (!r->verdict && !r->quit)
		prove_all(r);
	link_phase(r->c->link, "drain");
	gang_phase(&r->gang, PHASE_DRAIN);
	/* The watchdog speaks first when tasks hang; those that only loop are ended by force. */
	watchdog_agent(&r->dog, "the drain", 5 * r->stall_ns + CELL_KILL_WAIT_NS);
	left = gang_wait(&r->gang, hb_now_ns() + 4 * r->stall_ns);
	atomic_store(&r->dog.watch_tasks, 0);
	if (left) {
		gang_kill(&r->gang);
		cell_verdict(r, "INVALID",
			     "tasks did not leave their run after the measured phase");
	}
	watchdog_agent(&r->dog, NULL, 0);
}

void cell_phases_work(struct run *r)
{
	gang_fire(&r->gang);
	gang_wait(&r->gang, 0);
	prove_all(r);
}
