// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The QMP client against a peer that says what the test wants: all of it is put into the socket
 * beforehand, and what the client wrote is read afterwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/guest/qmp.h"

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"
#define READY	 GREETING "{\"return\": {}, \"id\": 1}\r\n"
#define SHORT_NS (NSEC_PER_SEC / 5)

static int peer;

static void say(const char *text)
{
	assert_int_equal(write(peer, text, strlen(text)), strlen(text));
}

static int open_with(const char *text, struct qmp **q, struct hb_error *e)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	peer = pair[1];
	say(text);
	return qmp_open(pair[0], hb_now_ns() + SHORT_NS, q, e);
}

static struct qmp *ready(void)
{
	struct hb_error e = {""};
	struct qmp *q;

	if (open_with(READY, &q, &e))
		fail_msg("%s", e.text);
	return q;
}

static void done(struct qmp *q)
{
	qmp_close(q);
	close(peer);
}

static void refuses(const char *text, int code, const char *why)
{
	struct hb_error e = {""};
	struct qmp *q;

	assert_int_equal(open_with(text, &q, &e), code);
	assert_null(q);
	if (!strstr(e.text, why))
		fail_msg("\"%s\", expected \"%s\" in it", e.text, why);
	close(peer);
}

static void test_handshake(void **state)
{
	char sent[256] = "";
	struct qmp *q = ready();

	(void)state;
	assert_true(read(peer, sent, sizeof(sent) - 1) > 0);
	assert_non_null(strstr(sent, "\"execute\":\"qmp_capabilities\""));
	assert_int_equal(sent[strlen(sent) - 1], '\n');
	assert_false(qmp_panicked(q));
	done(q);
}

static void test_garbage(void **state)
{
	char *endless = malloc((2 << 20) + 1);
	struct hb_error e = {""};
	struct qmp *q;
	int pair[2];
	pid_t pid;

	(void)state;
	refuses("hello\n", -EPROTO, "not JSON");
	refuses("[1]\n", -EPROTO, "not a JSON object");
	refuses("{\"version\": 7}\n", -EPROTO, "no greeting");
	refuses("", -ETIMEDOUT, "in time");
	refuses(GREETING, -ETIMEDOUT, "qmp_capabilities");
	refuses(GREETING "{\"id\": 1}\n", -EPROTO, "without");

	/* A line without end must not fill the memory. */
	assert_non_null(endless);
	memset(endless, 'x', 2 << 20);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pid = fork();
	if (!pid) {
		close(pair[0]);
		_exit(hb_write_all(pair[1], endless, 2 << 20) ? 1 : 0);
	}
	close(pair[1]);
	assert_int_equal(qmp_open(pair[0], hb_now_ns() + 5 * NSEC_PER_SEC, &q, &e), -EPROTO);
	assert_non_null(strstr(e.text, "1 MiB"));
	free(endless);
}

static void test_peer_closes(void **state)
{
	struct hb_error e = {""};
	struct qmp *q = ready();

	(void)state;
	close(peer);
	assert_int_equal(qmp_command(q, "cont", NULL, hb_now_ns() + SHORT_NS, NULL, &e), -EPIPE);
	qmp_close(q);
}

static void test_events_between(void **state)
{
	struct qmp *q = ready();
	json_t *result;

	(void)state;
	say("{\"event\": \"RESUME\"}\n{\"event\": \"GUEST_PANICKED\", \"data\": {}}\n"
	    "{\"return\": {\"status\": \"running\"}, \"id\": 2}\n");
	assert_int_equal(
		qmp_command(q, "query-status", NULL, hb_now_ns() + SHORT_NS, &result, NULL), 0);
	assert_string_equal(json_string_value(json_object_get(result, "status")), "running");
	json_decref(result);
	assert_true(qmp_panicked(q));
	done(q);
}

static void test_drain_notes_a_panic(void **state)
{
	struct qmp *q = ready();

	(void)state;
	assert_int_equal(qmp_drain(q, NULL), 0);
	assert_false(qmp_panicked(q));
	/* In two pieces, as a stream may bring it. */
	say("{\"event\": \"GUEST_PAN");
	assert_int_equal(qmp_drain(q, NULL), 0);
	assert_false(qmp_panicked(q));
	say("ICKED\"}\n");
	assert_int_equal(qmp_drain(q, NULL), 0);
	assert_true(qmp_panicked(q));
	done(q);
}

static void test_error_and_late_answer(void **state)
{
	struct hb_error e = {""};
	struct qmp *q = ready();

	(void)state;
	assert_int_equal(qmp_command(q, "stop", NULL, hb_now_ns() + SHORT_NS, NULL, &e),
			 -ETIMEDOUT);
	/* The answer to "stop" comes late and must not pass for that to "cont". */
	say("{\"return\": {}, \"id\": 2}\n{\"error\": {\"desc\": \"no such thing\"}, \"id\": 3}\n");
	assert_int_equal(qmp_command(q, "cont", NULL, hb_now_ns() + SHORT_NS, NULL, &e),
			 -EREMOTEIO);
	assert_non_null(strstr(e.text, "no such thing"));
	done(q);
}

static void test_vcpu_threads(void **state)
{
	struct qmp *q = ready();
	pid_t tid[2] = {0};

	(void)state;
	say("{\"return\": [{\"cpu-index\": 1, \"thread-id\": 77}, {\"cpu-index\": 0, "
	    "\"thread-id\": 66},"
	    " {\"cpu-index\": 5, \"thread-id\": 99}], \"id\": 2}\n");
	assert_int_equal(qmp_vcpu_threads(q, tid, 2, hb_now_ns() + SHORT_NS, NULL), 3);
	assert_int_equal(tid[0], 66);
	assert_int_equal(tid[1], 77);
	say("{\"return\": [{\"cpu-index\": 0}], \"id\": 3}\n");
	assert_int_equal(qmp_vcpu_threads(q, tid, 2, hb_now_ns() + SHORT_NS, NULL), -EPROTO);
	done(q);
}

static void test_kvm_counts(void **state)
{
	struct qmp *q = ready();
	struct qmp_kvm_counts counts;
	struct hb_error e = {""};

	(void)state;
	say("{\"return\": [{\"provider\": \"kvm\", \"qom-path\": "
	    "\"/machine/unattached/device[0]\", "
	    "\"stats\": [{\"name\": \"exits\", \"value\": 700}, {\"name\": \"guest_mode\", "
	    "\"value\": false}, {\"name\": \"insn_emulation\", \"value\": 9000}]}, {\"provider\": "
	    "\"kvm\", \"stats\": [{\"name\": \"exits\", \"value\": 42}]}, 7], \"id\": 2}\n");
	assert_int_equal(qmp_kvm_counts(q, hb_now_ns() + SHORT_NS, &counts, &e), 0);
	assert_int_equal(counts.exits, 742);
	assert_int_equal(counts.emulated, 9000);
	say("{\"return\": [], \"id\": 3}\n");
	assert_int_equal(qmp_kvm_counts(q, hb_now_ns() + SHORT_NS, &counts, &e), -EREMOTEIO);
	say("{\"error\": {\"desc\": \"no such command\"}, \"id\": 4}\n");
	assert_int_equal(qmp_kvm_counts(q, hb_now_ns() + SHORT_NS, &counts, &e), -EREMOTEIO);
	done(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handshake),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_peer_closes),
		cmocka_unit_test(test_events_between),
		cmocka_unit_test(test_drain_notes_a_panic),
		cmocka_unit_test(test_error_and_late_answer),
		cmocka_unit_test(test_vcpu_threads),
		cmocka_unit_test(test_kvm_counts),
	};

	return cmocka_run_group_tests_name("qmp", tests, NULL, NULL);
}
