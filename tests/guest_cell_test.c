// SPDX-License-Identifier: GPL-2.0-or-later
/* A cell from its specification to its result: what a task does wrong must not become a figure. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "bench/base/wire.h"
#include "workloads/agent/cell.h"
#include "workloads/workload.h"

#define MS 1000000

enum fault {
	GOOD,
	FAILS,	/* run() returns an error */
	KILLED, /* as the OOM killer does it */
	EXITS,	/* without a word, status 0 */
	SLEEPS, /* one operation lasts from the warm-up beyond the measured phase */
	STAYS,	/* goes on after the end */
	CLAIMS, /* what is not so */
	CANNOT, /* run here */
};

static const char *const fault_names[] = {"good",  "fails",  "killed", "exits", "sleeps",
					  "stays", "claims", "cannot", NULL};

struct test_options {
	int fault;
};

static const struct option_row options[] = {
	{"fault", OPTION_ENUM, offsetof(struct test_options, fault), "good", NULL, NULL,
	 fault_names, "of the last task"},
	OPTION_END,
};

static const struct metric_row metrics[] = {
	{"ops", METRIC_RATE, "1/s", METRIC_HIGHER, 1, "operations"},
	{"latency", METRIC_HIST, "ns", METRIC_LOWER, 0, "a constant"},
	METRIC_END,
};

static enum fault fault_of(const struct instance *in)
{
	return ((const struct test_options *)in->options)->fault;
}

static int test_setup(struct instance *in, struct hb_error *e)
{
	/* A busy machine begins late; what is to sleep through the phase begins never. */
	in->awaited = in->ops->role == ROLE_WORKLOAD && fault_of(in) != SLEEPS;
	return fault_of(in) == CANNOT ? hb_error_set(e, -EOPNOTSUPP, "CONFIG_NOTHING is off") : 0;
}

static int go_wrong(const struct task *t, enum fault fault, struct hb_error *e)
{
	while (fault == SLEEPS && atomic_load(&t->in->cell->shared->phase) < PHASE_PROVE)
		usleep(1000);
	if (t->phase != PHASE_MEASURE)
		return 0;
	if (fault == KILLED)
		raise(SIGKILL);
	if (fault == EXITS)
		_exit(0);
	return fault == FAILS ? hb_error_set(e, -EIO, "the disk is gone") : 0;
}

static int test_run(struct task *t, struct hb_error *e)
{
	enum fault fault = t->index == t->in->ntasks - 1 ? fault_of(t->in) : GOOD;
	int rc = 0;

	while (!rc && (task_continue(t) || fault == STAYS)) {
		task_count(t, 0, 1);
		task_latency(t, 1, 1000);
		usleep(1000);
		rc = go_wrong(t, fault, e);
	}
	return rc;
}

static int test_prove(struct instance *in, struct hb_error *e)
{
	return fault_of(in) == CLAIMS ? hb_error_set(e, -ENODATA, "nothing was shared") : 0;
}

static const struct workload_ops test_ops = {
	.abi = WORKLOAD_ABI,
	.name = "test",
	.summary = "goes wrong as it is told",
	.role = ROLE_WORKLOAD,
	.options = options,
	.options_size = sizeof(struct test_options),
	.metrics = metrics,
	.setup = test_setup,
	.run = test_run,
	.prove = test_prove,
};
WORKLOAD_REGISTER(test_ops);

static int idle_run(struct task *t, struct hb_error *e)
{
	(void)e;
	while (task_continue(t))
		usleep(1000);
	return 0;
}

static const struct workload_ops idle_ops = {
	.abi = WORKLOAD_ABI,
	.name = "idle",
	.summary = "an antagonist that achieves nothing",
	.role = ROLE_ANTAGONIST,
	.options = options,
	.options_size = sizeof(struct test_options),
	.metrics = metrics,
	.setup = test_setup,
	.run = idle_run,
};
WORKLOAD_REGISTER(idle_ops);

/* A cell in a process of its own, as the host sees it. */
struct session {
	int fd;
	pid_t pid;
	struct wire_reader reader;
	json_t *intervals, *phases, *result;
	int histograms;
};

static void end(void) __attribute__((noreturn));
static void end(void)
{
	_exit(9);
}

static void start_with_log(struct session *s, const json_t *spec, int kmsg)
{
	int fd[2];

	*s = (struct session){.intervals = json_array(), .phases = json_array()};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (!s->pid) {
		struct link link;
		struct cell_config c = {.spec = spec, .link = &link, .kmsg = kmsg, .end = end};
		int rc;

		signal(SIGPIPE, SIG_IGN);
		close(fd[0]);
		link_init(&link, fd[1]);
		rc = cell_run(&c, NULL);
		_exit(rc < 0 ? 3 : rc);
	}
	close(fd[1]);
	s->fd = fd[0];
}

/* The kernel log is not read. */
static void start(struct session *s, const json_t *spec)
{
	start_with_log(s, spec, -1);
}

/* Take in frames until one of @type came, and the result in any case. */
static void listen_for(struct session *s, enum wire_type wanted, const char *phase)
{
	enum wire_type type = 0;
	struct hb_error e = {""};
	bool found = false;
	json_t *frame;

	while (!found && !s->result) {
		while (wire_next(&s->reader, &type, &frame, &e) == 1) {
			if (type == WIRE_PHASE)
				json_array_append(s->phases, json_object_get(frame, "phase"));
			if (type == WIRE_INTERVAL)
				json_array_append(s->intervals, frame);
			s->histograms += type == WIRE_HIST;
			if (type == WIRE_RESULT)
				s->result = json_incref(frame);
			found |= type == wanted &&
				 (!phase || !strcmp(phase, json_string_value(json_object_get(
								   frame, "phase"))));
			json_decref(frame);
		}
		assert_string_equal(e.text, "");
		if (!found && !s->result)
			assert_int_equal(wire_fill(&s->reader, s->fd), 0);
	}
}

static int finish(struct session *s)
{
	int status;

	if (s->fd >= 0)
		close(s->fd);
	assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
	assert_true(WIFEXITED(status));
	wire_reader_free(&s->reader);
	json_decref(s->intervals);
	json_decref(s->phases);
	json_decref(s->result);
	return WEXITSTATUS(status);
}

static json_t *instance_of(const char *workload, const char *fault)
{
	return json_pack("{s:s, s:i, s:{s:s}}", "workload", workload, "tasks", 2, "options",
			 "fault", fault);
}

static json_t *spec_of(const char *fault)
{
	return json_pack("{s:i, s:s, s:s, s:i, s:{s:i, s:i, s:i, s:I}, s:i, s:[], s:s, s:[o]}",
			 "format", 1, "cell", "a", "mode", "native", "seed", 1, "phases",
			 "warmup_ns", 50 * MS, "measure_ns", 900 * MS, "interval_ns", 200 * MS,
			 "stall_ns", (json_int_t)(20 * NSEC_PER_SEC), "work", 0, "observe", "nodes",
			 "any", "instances", instance_of("test", fault));
}

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void assert_result(const struct session *s, const char *verdict, const char *reason)
{
	assert_non_null(strstr(text_of(s->result, "reason"), reason));
	assert_string_equal(text_of(s->result, "verdict"), verdict);
}

/* The verdict and the reason of a cell with this specification; takes the reference. */
static void assert_verdict(json_t *spec, const char *verdict, const char *reason)
{
	struct session s;

	start(&s, spec);
	listen_for(&s, WIRE_RESULT, NULL);
	assert_result(&s, verdict, reason);
	assert_int_equal(finish(&s), 0);
	json_decref(spec);
}

static json_int_t integer_of(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	assert_true(json_is_integer(v));
	return json_integer_value(v);
}

/* The intervals follow one another without a gap, and what they count is what the metric counts. */
static void assert_intervals(const struct session *s, json_int_t count)
{
	json_int_t at = 0, ops = 0;
	json_t *interval;
	size_t i;

	assert_int_equal(json_array_size(s->intervals), 5);
	json_array_foreach (s->intervals, i, interval) {
		assert_int_equal(integer_of(interval, "t_ns"), at);
		at += integer_of(interval, "length_ns");
		ops += integer_of(json_object_get(interval, "counters"), "test.ops");
	}
	assert_true(at >= 900 * MS);
	/* What was under way at the end is in no interval. */
	assert_true(ops > 0 && ops <= count);
}

static void assert_note(const struct session *s, const char *key, const char *text)
{
	json_t *notes = json_object_get(s->result, "notes"), *note;
	bool found = false;
	size_t i;

	json_array_foreach (notes, i, note)
		found |= !strcmp(text_of(note, "key"), key) && strstr(text_of(note, "text"), text);
	assert_true(found);
}

static void good_cell_is_ok(void **state)
{
	static const char *const phases[] = {"setup", "warmup", "measure", "drain", "collect"};
	json_t *spec = spec_of("good"), *rate;
	struct session s;

	(void)state;
	start(&s, spec);
	listen_for(&s, WIRE_RESULT, NULL);
	assert_result(&s, "OK", "");
	assert_int_equal(json_array_size(s.phases), ARRAY_SIZE(phases));
	for (size_t i = 0; i < ARRAY_SIZE(phases); i++)
		assert_string_equal(json_string_value(json_array_get(s.phases, i)), phases[i]);
	assert_int_equal(s.histograms, 1);
	rate = json_array_get(json_object_get(s.result, "metrics"), 0);
	assert_string_equal(text_of(rate, "name"), "ops");
	assert_string_equal(text_of(rate, "role"), "workload");
	assert_intervals(&s, integer_of(rate, "count"));
	assert_true(json_real_value(json_object_get(rate, "seconds")) > 0);
	assert_string_equal(text_of(json_object_get(s.result, "parameters"), "test.fault"), "good");
	assert_note(&s, "placement", "tasks anywhere");
	/* Nobody looked at the kernel log, so nobody says that it is clean. */
	assert_note(&s, "log", "not read, so not searched for warnings");
	assert_int_equal(finish(&s), 0);
	json_decref(spec);
}

/* A good specification but for the fault, and with an hour for the phase @key. */
static json_t *long_spec(const char *fault, const char *key)
{
	json_t *spec = spec_of(fault);

	json_object_set_new(json_object_get(spec, "phases"), key,
			    json_integer(3600 * NSEC_PER_SEC));
	return spec;
}

/* At once, not at the end of the phase. */
static void task_that_goes_wrong_is_named(void **state)
{
	(void)state;
	assert_verdict(long_spec("fails", "measure_ns"), "INVALID",
		       "test task 1: the disk is gone");
	assert_verdict(long_spec("killed", "measure_ns"), "INVALID",
		       "test task 1 was killed by signal 9");
	assert_verdict(long_spec("exits", "measure_ns"), "INVALID",
		       "test task 1 exited in the measured phase");
}

static void task_that_stays_is_ended(void **state)
{
	json_t *spec = spec_of("stays");

	(void)state;
	/* Four times as long is waited for it. */
	json_object_set_new(json_object_get(spec, "phases"), "stall_ns", json_integer(200 * MS));
	assert_verdict(spec, "INVALID", "tasks did not leave their run");
}

static void false_claim_is_invalid(void **state)
{
	(void)state;
	assert_verdict(spec_of("claims"), "INVALID", "nothing was shared");
}

/* A cell with this fault and these records of the kernel log, as the host gets its end. */
static void assert_verdict_with_log(const char *fault, const char *first, const char *second,
				    const char *verdict, const char *reason)
{
	json_t *spec = spec_of(fault);
	struct session s;
	int log[2];

	assert_int_equal(pipe2(log, O_DIRECT | O_NONBLOCK), 0);
	assert_int_equal(hb_write_all(log[1], first, strlen(first)), 0);
	assert_int_equal(hb_write_all(log[1], second, strlen(second)), 0);
	start_with_log(&s, spec, log[0]);
	listen_for(&s, WIRE_RESULT, NULL);
	assert_result(&s, verdict, reason);
	assert_true(json_array_size(json_object_get(s.result, "evidence")) >= 2);
	assert_int_equal(finish(&s), 0);
	close(log[0]);
	close(log[1]);
	json_decref(spec);
}

/* What the cell says of it comes first, where it was noticed; other trouble is the kernel's. */
static void memory_that_ran_out_is_no_bug(void **state)
{
	static const char oom[] = "4,1,1,-;exe invoked oom-killer: gfp_mask=0x100cca\n";
	static const char killed[] = "3,2,2,-;Out of memory: Killed process 59 (postgres)\n";
	static const char warning[] = "4,2,2,-;WARNING: CPU: 1 PID: 7 at mm/hugetlb.c:99\n";

	(void)state;
	assert_verdict_with_log("killed", oom, killed, "INVALID",
				"was killed by signal 9 (Killed); the kernel: Out of memory: "
				"Killed process 59 (postgres)");
	assert_verdict_with_log("killed", oom, warning, "DIRTY", "exe invoked oom-killer");
	assert_verdict_with_log("good", oom, killed, "DIRTY", "exe invoked oom-killer");
}

static void what_cannot_run_is_skipped(void **state)
{
	json_t *spec = spec_of("good");

	(void)state;
	assert_verdict(spec_of("cannot"), "SKIP", "test: CONFIG_NOTHING is off");
	json_object_set_new(spec, "work", json_integer(1));
	assert_verdict(spec, "SKIP", "test runs for a time");
}

static void starved_task_is_told(void **state)
{
	json_t *spec = spec_of("sleeps");
	struct session s;

	(void)state;
	start(&s, spec);
	listen_for(&s, WIRE_RESULT, NULL);
	assert_result(&s, "OK", "");
	assert_note(&s, "starved", "1 of 2 tasks were in one operation");
	assert_int_equal(finish(&s), 0);
	/* Where all are, there is no figure. */
	json_object_set_new(json_array_get(json_object_get(spec, "instances"), 0), "tasks",
			    json_integer(1));
	assert_verdict(spec, "INVALID", "no task of test was in the measured phase");
}

static void idle_antagonist_is_invalid(void **state)
{
	json_t *spec = spec_of("good");

	(void)state;
	json_array_append_new(json_object_get(spec, "instances"), instance_of("idle", "good"));
	assert_verdict(spec, "INVALID", "antagonist idle achieved nothing");
}

/* @change: merged into a good specification; what it breaks. */
static void assert_refused(const char *change, const char *reason)
{
	json_t *spec = spec_of("good"), *with = json_loads(change, 0, NULL);

	assert_non_null(with);
	assert_int_equal(json_object_update_recursive(spec, with), 0);
	json_decref(with);
	assert_verdict(spec, "INVALID", reason);
}

static void malformed_specification_is_refused(void **state)
{
	json_t *spec = spec_of("good");

	(void)state;
	json_object_del(spec, "seed");
	assert_verdict(spec, "INVALID", "seed");
	assert_refused("{\"format\": 2}", "of format 2, not 1");
	assert_refused("{\"sedd\": 2}", "sedd");
	assert_refused("{\"phases\": {\"measure_ns\": 0}}", "measure_ns");
	assert_refused("{\"phases\": {\"warmup_ns\": -1}}", "warmup_ns must be 0 or more");
	assert_refused("{\"phases\": {\"stall_ns\": \"9\"}}", "stall_ns must be 1 or more");
	assert_refused("{\"mode\": \"exact\"}", "phases.warmup_insn");
	assert_refused("{\"work\": -1}", "work is negative");
	assert_refused("{\"nodes\": \"99\"}", "nodes = 99");
	assert_refused("{\"observe\": [\"stars\"]}", "observe = stars");
	assert_refused("{\"instances\": []}", "names no workload");
	assert_refused("{\"instances\": [{\"workload\": \"none\", \"tasks\": 1}]}",
		       "no workload \"none\"");
	assert_refused("{\"instances\": [{\"workload\": \"test\", \"tasks\": 0}]}", "0 tasks");
	assert_refused("{\"instances\": [{\"workload\": \"test\", \"tasks\": 4097}]}",
		       "4097 tasks");
	assert_refused("{\"instances\": [{\"workload\": \"test\", \"tasks\": 1}, "
		       "{\"workload\": \"test\", \"tasks\": 1}]}",
		       "test is named twice");
	assert_refused("{\"instances\": [{\"workload\": \"test\", \"tasks\": 1, "
		       "\"options\": {\"colour\": \"red\"}}]}",
		       "colour");
	assert_refused("{\"instances\": [{\"workload\": \"test\", \"tasks\": 1, "
		       "\"options\": {\"fault\": \"odd\"}}]}",
		       "odd");
}

/* A good cell whose phase @key takes an hour, up to the first frame of @type (of @phase). */
static void start_long(struct session *s, json_t **spec, const char *key, enum wire_type type,
		       const char *phase)
{
	*spec = long_spec("good", key);
	start(s, *spec);
	listen_for(s, type, phase);
	assert_null(s->result);
}

static void cell_that_never_began_has_no_figure(void **state)
{
	struct session s;
	json_t *spec;

	(void)state;
	start_long(&s, &spec, "warmup_ns", WIRE_PHASE, "warmup");
	assert_int_equal(wire_send(s.fd, WIRE_QUIT, NULL, NULL), 0);
	listen_for(&s, WIRE_RESULT, NULL);
	assert_result(&s, "INVALID", "no task of test was in the measured phase");
	assert_int_equal(finish(&s), 1);
	json_decref(spec);
}

static void host_can_quit(void **state)
{
	struct session s;
	json_t *spec;

	(void)state;
	start_long(&s, &spec, "measure_ns", WIRE_INTERVAL, NULL);
	assert_int_equal(wire_send(s.fd, WIRE_QUIT, NULL, NULL), 0);
	listen_for(&s, WIRE_RESULT, NULL);
	assert_result(&s, "OK", "");
	assert_int_equal(finish(&s), 1);
	json_decref(spec);
}

static void agent_does_not_outlive_its_host(void **state)
{
	struct session s;
	json_t *spec;

	(void)state;
	start_long(&s, &spec, "measure_ns", WIRE_PHASE, "measure");
	close(s.fd);
	s.fd = -1;
	assert_int_equal(finish(&s), 3);
	json_decref(spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_cell_is_ok),
		cmocka_unit_test(task_that_goes_wrong_is_named),
		cmocka_unit_test(task_that_stays_is_ended),
		cmocka_unit_test(false_claim_is_invalid),
		cmocka_unit_test(memory_that_ran_out_is_no_bug),
		cmocka_unit_test(what_cannot_run_is_skipped),
		cmocka_unit_test(starved_task_is_told),
		cmocka_unit_test(idle_antagonist_is_invalid),
		cmocka_unit_test(malformed_specification_is_refused),
		cmocka_unit_test(cell_that_never_began_has_no_figure),
		cmocka_unit_test(host_can_quit),
		cmocka_unit_test(agent_does_not_outlive_its_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
