// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A stand-in for the agent that behaves as the environment variable "fake" says: well, or badly in
 * one way. Static and without libraries, so that it serves as /init of a guest (the kernel hands
 * unknown "key=value" words of its command line to init's environment) and as a native child
 * (`fake_guest --native FD`, `fake_guest --describe`). It writes its frames itself: some of them
 * are wrong on purpose.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "bench/base/wire.h"

static int port;

/* sysconf() would read files that a guest with nothing mounted does not have. */
static int cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? 0 : CPU_COUNT(&set);
}

static uint32_t crc(const void *data, size_t len)
{
	const unsigned char *p = data;
	uint32_t c = ~0u;

	while (len--) {
		c ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
	}
	return ~c;
}

static void put(const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(port, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			exit(1);
		p += n;
		len -= n;
	}
}

static void frame(enum wire_type type, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void frame(enum wire_type type, const char *fmt, ...)
{
	char text[4096];
	struct wire_header h = {WIRE_MAGIC, WIRE_VERSION, type, 0, 0};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	h.length = strlen(text);
	h.crc32 = crc(text, h.length);
	put(&h, sizeof(h));
	put(text, h.length);
}

static void get(void *data, size_t len)
{
	char *p = data;

	while (len) {
		ssize_t n = read(port, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			exit(0);
		p += n;
		len -= n;
	}
}

/* Wait for a frame of @type; what it says does not matter here. */
static void await(enum wire_type type)
{
	struct wire_header h;

	do {
		char skip[256];

		get(&h, sizeof(h));
		for (uint32_t left = h.length; left;) {
			uint32_t n = left < sizeof(skip) ? left : sizeof(skip);

			get(skip, n);
			left -= n;
		}
	} while (h.type != type);
}

static int is(const char *what)
{
	const char *fake = getenv("fake");

	return !strcmp(fake ? fake : "ok", what);
}

static void sleep_ms(int ms)
{
	poll(NULL, 0, ms);
}

/* Say nothing more, as long as there is a host. */
static void fall_silent(void)
{
	char c;

	while (read(port, &c, 1) > 0)
		;
	exit(0);
}

/* A second of a CPU's time, however long that takes. */
static void work(void)
{
	while (clock() < CLOCKS_PER_SEC)
		;
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* The data port has the number after "vport" that comes first; there is only one. */
static int open_port(void)
{
	for (int try = 0; try < 500; try++, sleep_ms(10)) {
		int fd = open("/dev/vport0p1", O_RDWR | O_CLOEXEC);

		if (fd >= 0)
			return fd;
	}
	return -1;
}

/* Mode exact has a UART in its place. */
static int open_serial(void)
{
	int fd = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios tio;

	if (fd < 0 || tcgetattr(fd, &tio))
		return -1;
	cfmakeraw(&tio);
	return tcsetattr(fd, TCSANOW, &tio) ? -1 : fd;
}

static int guest_setup(void)
{
	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	if (is("panic"))
		write_text("/proc/sysrq-trigger", "c");
	return is("exact") ? open_serial() : open_port();
}

static void result(const char *verdict, const char *reason)
{
	const char *name = is("badmetric") ? "x`touch F`" : is("badpath") ? "../x" : "ops";

	frame(WIRE_RESULT,
	      "{\"verdict\":\"%s\",\"reason\":\"%s\",\"evidence\":[],\"notes\":[],"
	      "\"conservation\":{\"ok\":true},\"parameters\":{\"null.work\":\"1\"},"
	      "\"metrics\":[{\"source\":\"null\",\"name\":\"latency\",\"kind\":\"hist\","
	      "\"better\":\"lower\",\"primary\":true,\"count\":2,\"min\":5,\"max\":7},"
	      "{\"source\":\"null\",\"name\":\"%s\",\"kind\":\"rate\",\"better\":\"higher\","
	      "\"value\":2.5,\"seconds\":2,\"count\":5}]}",
	      verdict, reason, name);
}

static void histogram(const char *source)
{
	frame(WIRE_HIST,
	      "{\"source\":\"%s\",\"name\":\"latency\",\"layout\":\"%s\",\"unit\":\"ns\","
	      "\"count\":2,\"overflow\":0,\"min\":5,\"max\":7,\"sum\":12,"
	      "\"buckets\":[[5,1],[7,1]]}",
	      source, "log-linear sub_bits=7 max_bits=40");
}

/* A frame of as many bytes as there may be, one text. */
static void largest(void)
{
	static char text[WIRE_MAX_PAYLOAD];
	struct wire_header h = {WIRE_MAGIC, WIRE_VERSION, WIRE_EVENT, sizeof(text), 0};

	memset(text, 'x', sizeof(text));
	memcpy(text, "{\"kind\":\"kmsg\",\"text\":\"", 24);
	memcpy(text + sizeof(text) - 2, "\"}", 2);
	h.crc32 = crc(text, sizeof(text));
	put(&h, sizeof(h));
	put(text, sizeof(text));
	exit(5);
}

static void measure(int guest)
{
	frame(WIRE_PHASE, "{\"phase\":\"setup\",\"t_ns\":0}");
	frame(WIRE_PHASE, "{\"phase\":\"warmup\",\"t_ns\":1}");
	frame(WIRE_PHASE, "{\"phase\":\"measure\",\"t_ns\":2}");
	frame(WIRE_INTERVAL, "{\"t_ns\":0,\"length_ns\":10,\"counters\":{\"null.ops\":1}}");
	if (is("die"))
		exit(3);
	if (is("half")) {
		put("1NBH", 4);
		fall_silent();
	}
	if (is("largest"))
		largest();
	if (is("slow"))
		sleep_ms(400);
	if (is("slower"))
		sleep_ms(2000);
	if (is("hang"))
		fall_silent();
	if (is("escape"))
		frame(WIRE_EVENT, "{\"kind\":\"kmsg\",\"text\":\"a \\u001b]0;title\\u0007 line\"}");
	if (is("badkey"))
		frame(WIRE_INTERVAL,
		      "{\"t_ns\":0,\"length_ns\":10,\"counters\":{\"\\u001b[2J\":1}}");
	for (unsigned int i = 0; is("flood"); i++)
		frame(WIRE_EVENT, "{\"kind\":\"kmsg\",\"text\":\"line %u\"}", i);
	if (is("blocked")) {
		write_text("/dev/kmsg",
			   "<3>INFO: task mapper:9 blocked for more than 20 seconds.\n");
		fall_silent();
	}
	if (is("panic-later"))
		write_text("/proc/sysrq-trigger", "c");
	if (is("warn") && guest)
		write_text("/dev/kmsg",
			   "<4>WARNING: CPU: 0 PID: 1 at fake/guest.c:1 here+0x1/0x2\n");
	if (is("stall")) {
		frame(WIRE_EVENT, "{\"kind\":\"stall\",\"text\":\"task:mapper state:D stack:0\\n"
				  " schedule+0x1/0x2\"}");
		result("HANG", "no progress for 10 s");
		return;
	}
	frame(WIRE_INTERVAL, "{\"t_ns\":10,\"length_ns\":10,\"counters\":{\"null.ops\":1}}");
	frame(WIRE_PHASE, "{\"phase\":\"drain\",\"t_ns\":20}");
	frame(WIRE_PHASE, "{\"phase\":\"collect\",\"t_ns\":21}");
	histogram(is("badhist") ? "../../evil" : "null");
	if (is("badreason"))
		result("INVALID", "one\\n\\ttwo\\u001b[2J\\u00b5");
	result(is("badverdict") ? "GREAT" : is("dirty") ? "DIRTY" : "OK", "");
}

/* What `hugebench` wants to know before a scenario is read. */
static int describe(void)
{
	return puts("{\"abi\":1,\"workloads\":[{\"name\":\"null\",\"summary\":\"nothing\","
		    "\"role\":\"workload\",\"needs\":[],\"options\":[{\"name\":\"work\","
		    "\"type\":\"number\",\"default\":\"1\",\"min\":\"1\",\"max\":\"9\","
		    "\"help\":\"-\"}],\"metrics\":[{\"name\":\"ops\",\"kind\":\"rate\","
		    "\"unit\":\"1/s\",\"better\":\"higher\",\"primary\":true,"
		    "\"help\":\"-\"}]}]}") < 0;
}

int main(int argc, char **argv)
{
	int guest = argc != 3;
	const char *id = getenv("fake_build_id");

	if (argc == 2 && !strcmp(argv[1], "--describe"))
		return describe();
	port = guest ? guest_setup() : atoi(argv[2]);
	if (is("silent") || (is("silent-at-first") && access("/second", F_OK)))
		fall_silent();
	if (is("busy"))
		work();
	if (is("garbage"))
		put("this is not a frame, whatever it is, and long enough", 52);
	if (is("early"))
		result("OK", "");
	frame(WIRE_HELLO, "{\"wire\":%d,\"agent\":\"fake\",\"build_id\":\"%s\",\"cpus\":%d}",
	      is("badwire") ? 99 : WIRE_VERSION, id ? id : "", cpus());
	if (!is("exact"))
		await(WIRE_RUN);
	else if (access("/spec.json", R_OK))
		return 4;
	measure(guest);
	await(WIRE_QUIT);
	if (guest)
		reboot(RB_POWER_OFF);
	return 0;
}
