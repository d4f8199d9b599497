// SPDX-License-Identifier: GPL-2.0-or-later
/* What the agent says, frame by frame. Nothing of it is trusted. */
#include <stdlib.h>
#include <string.h>

#include "bench/base/json.h"
#include "bench/base/hist.h"
#include "bench/base/plain.h"
#include "bench/base/verdict.h"
#include "bench/guest/session_state.h"

#define HISTOGRAMS_MOST 1000
/*
 * What an agent may send: enough for any cell, and for its intervals. A guest that never stops does
 * not fill the disk.
 */
#define STREAM_MOST	(256ULL << 20)
#define STREAM_INTERVAL (16ULL << 10)

static int on_hello(struct session *s, json_t *hello, struct hb_error *e)
{
	const char *id = json_string_value(json_object_get(hello, "build_id"));
	const json_t *cpus = json_object_get(hello, "cpus");
	json_int_t wire = json_integer_value(json_object_get(hello, "wire"));

	if (s->have_hello)
		return session_settle(s, "INVALID", "a second hello");
	s->have_hello = true;
	s->hello = json_incref(hello);
	if (wire != WIRE_VERSION)
		return session_settle(s, "INVALID",
				      "the agent speaks wire version %lld, the host %d",
				      (long long)wire, WIRE_VERSION);
	if (s->c->kernel && s->c->kernel->build_id && (!id || strcmp(id, s->c->kernel->build_id)))
		return session_settle(s, "INVALID",
				      "another kernel runs than planned: build-id %s instead of %s",
				      id && *id ? id : "(none)", s->c->kernel->build_id);
	/* A kernel built for fewer CPUs, or one that could not start some, is another machine. */
	if (!s->c->native && !session_is_exact(s) && json_is_integer(cpus) &&
	    json_integer_value(cpus) != s->c->vm.vcpus)
		return session_settle(s, "INVALID", "the guest runs on %lld CPUs instead of %u",
				      (long long)json_integer_value(cpus), s->c->vm.vcpus);
	session_enter(s, STEP_SETUP);
	session_tell(s, hello);
	if (session_is_exact(s))
		return 0;
	/* An agent that is gone by now is seen by the loop. */
	return wire_send(session_fd(s), WIRE_RUN, s->spec, e) == -ENOMEM ? -ENOMEM : 0;
}

static int on_phase(struct session *s, const json_t *frame)
{
	const char *name = json_string_value(json_object_get(frame, "phase"));

	for (enum session_step step = STEP_SETUP; name && step < STEPS; step++) {
		if (strcmp(name, session_steps[step]))
			continue;
		if (step < s->step)
			return session_settle(s, "INVALID", "phase %s after phase %s", name,
					      session_steps[s->step]);
		if (step > s->step)
			session_enter(s, step);
		session_tell(s, frame);
		return 0;
	}
	return session_settle(s, "INVALID", "unknown phase \"%.40s\"", name ? name : "");
}

static int on_interval(struct session *s, const json_t *frame, struct hb_error *e)
{
	if (json_dumpf(frame, s->intervals, JSON_COMPACT) || fputc('\n', s->intervals) == EOF ||
	    fflush(s->intervals))
		return hb_error_set(e, -EIO, "%s/intervals.jsonl: cannot write: %s",
				    s->c->directory, strerror(errno));
	session_tell(s, frame);
	return 0;
}

static int on_event(struct session *s, const json_t *frame)
{
	const char *kind = json_string_value(json_object_get(frame, "kind"));
	const char *text = json_string_value(json_object_get(frame, "text"));

	if (!kind || !text)
		return session_settle(s, "INVALID", "an event without kind or text");
	if (!strcmp(kind, "stall"))
		s->stalled = true;
	if (!strcmp(kind, "stall") || !strcmp(kind, "kmsg"))
		session_evidence(s, text);
	session_tell(s, frame);
	return 0;
}

static int write_hist(struct session *s, const char *file, const struct hist *h, const char *unit,
		      struct hb_error *e)
{
	HB_FREE char *path = hb_strf("%s/%s", s->c->directory, file);
	json_t *j = hist_to_json(h, unit);
	int rc = json_write(path, j, JSON_COMPACT);

	json_decref(j);
	return rc ? hb_error_set(e, rc, "%s: %s", file, strerror(-rc)) : 0;
}

static int on_hist(struct session *s, const json_t *frame, struct hb_error *e)
{
	const char *source = json_string_value(json_object_get(frame, "source"));
	const char *name = json_string_value(json_object_get(frame, "name"));
	const char *unit = json_string_value(json_object_get(frame, "unit"));
	HB_FREE struct hist *h = malloc(sizeof(*h));
	HB_FREE char *key = NULL, *file = NULL;
	struct hb_error why = {""};
	int rc;

	if (!unit)
		hb_error_set(&why, -EINVAL, "no unit");
	if (name_check(source, NAME_LONGEST, &why) || name_check(name, NAME_LONGEST, &why) || !unit)
		/* cppcheck-suppress memleak ; freed by the cleanup attribute */
		return session_settle(s, "INVALID", "a histogram: %s", why.text);
	if (json_object_size(s->files) == HISTOGRAMS_MOST)
		/* cppcheck-suppress memleak ; freed by the cleanup attribute */
		return session_settle(s, "INVALID", "more than %d histograms", HISTOGRAMS_MOST);
	key = hb_strf("%s.%s", source, name);
	file = hb_strf("%s.%s.hist", source, name);
	if (!h || !key || !file)
		return hb_error_set(e, -ENOMEM, "no memory for a histogram");
	if (hist_from_json(h, frame, &why))
		return session_settle(s, "INVALID", "histogram %s: %s", key, why.text);
	rc = write_hist(s, file, h, unit, e);
	if (!rc)
		json_object_set_new(s->files, key, json_string(file));
	return rc;
}

static int on_result(struct session *s, json_t *frame)
{
	const char *verdict = json_string_value(json_object_get(frame, "verdict"));

	if (!verdict || cell_verdict_find(verdict) == CELL_VERDICTS)
		return session_settle(s, "INVALID", "a result with the unknown verdict \"%.40s\"",
				      verdict ? verdict : "");
	s->result = json_incref(frame);
	session_tell(s, frame);
	s->ended = true;
	return 1;
}

/* 1: the cell is over; 0: go on; negative: the host failed. */
static int on_frame(struct session *s, enum wire_type type, json_t *frame, struct hb_error *e)
{
	struct hb_error why = {""};

	if (plain_json_make(frame, &why))
		return session_settle(s, "INVALID", "a frame of type %d: %s", type, why.text);
	if (!s->have_hello && type != WIRE_HELLO)
		return session_settle(s, "INVALID", "a frame of type %d before the hello", type);
	switch (type) {
	case WIRE_HELLO:
		return on_hello(s, frame, e);
	case WIRE_PHASE:
		return on_phase(s, frame);
	case WIRE_INTERVAL:
		return on_interval(s, frame, e);
	case WIRE_EVENT:
		return on_event(s, frame);
	case WIRE_HIST:
		return on_hist(s, frame, e);
	case WIRE_RESULT:
		return on_result(s, frame);
	default:
		return session_settle(s, "INVALID", "a frame of type %d, which only the host sends",
				      type);
	}
}

static uint64_t stream_most(const struct session *s)
{
	uint64_t interval = session_spec(s, "interval_ns");

	return STREAM_MOST +
	       (interval ? session_spec(s, "measure_ns") / interval * STREAM_INTERVAL : 0);
}

int session_take_frames(struct session *s, struct hb_error *e)
{
	struct hb_error why = {""};
	enum wire_type type;
	json_t *frame;
	int rc;

	while ((rc = wire_next(&s->reader, &type, &frame, &why)) > 0) {
		rc = on_frame(s, type, frame, e);
		json_decref(frame);
		if (rc)
			return rc;
	}
	if (s->reader.total > stream_most(s))
		return session_settle(s, "INVALID", "the agent sent %llu MiB and no end of it",
				      (unsigned long long)(s->reader.total >> 20));
	return rc < 0 ? session_settle(s, "INVALID", "the agent's stream: %s", why.text) : 0;
}
