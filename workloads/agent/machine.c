// SPDX-License-Identifier: GPL-2.0-or-later
/* HPET registers: IA-PC HPET Specification 1.0a, section 2.3. */
#include "workloads/agent/machine.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HPET_BASE  0xfed00000
#define HPET_BYTES 0x1000

/* Registers, in words of 32 bits. */
#define HPET_CONFIG   (0x010 / 4)
#define TIMER(n)      ((0x100 + 0x20 * (n)) / 4)
#define TIMER_COMPARE 2 /* words behind TIMER() */

#define CONFIG_RUN	   0x1
#define TIMER_INTERRUPT	   0x4
#define TIMER_PERIODIC	   0x8
#define TIMER_SET_VALUE	   0x40
#define TIMER_ROUTE(input) ((input) << 9)
/* An input of the IOAPIC that nothing uses, and so is masked: the interrupt goes nowhere. */
#define UNUSED_INPUT 23

static json_int_t member(const json_t *machine, const char *key)
{
	return json_integer_value(json_object_get(machine, key));
}

unsigned int machine_insn_ns(const json_t *machine)
{
	return member(machine, "vcpus") << member(machine, "shift");
}

static int cpu_online(unsigned int cpu, struct hb_error *e)
{
	HB_FREE char *path = hb_strf("/sys/devices/system/cpu/cpu%u/online", cpu);
	int rc = path ? hb_file_write(path, "1") : -ENOMEM;

	return rc ? hb_error_set(e, -ENODEV, "CPU %u does not come up: %s", cpu, strerror(-rc)) : 0;
}

/*
 * The HPET is stopped meanwhile: between the two writes to a comparator, its value and its period,
 * a timer that runs would expire and be set to seconds ahead.
 */
static void timers_run(volatile uint32_t *hpet, const json_t *timers)
{
	size_t i;
	json_t *described;

	json_array_foreach (timers, i, described) {
		volatile uint32_t *timer = hpet + TIMER(i);

		timer[0] = TIMER_INTERRUPT | TIMER_PERIODIC | TIMER_SET_VALUE |
			   TIMER_ROUTE(UNUSED_INPUT);
		timer[TIMER_COMPARE] = json_integer_value(json_array_get(described, 0));
		timer[TIMER_COMPARE] = json_integer_value(json_array_get(described, 1));
	}
	hpet[HPET_CONFIG] = CONFIG_RUN;
}

int machine_start(const json_t *machine, struct hb_error *e)
{
	int rc = 0;

	for (unsigned int cpu = 1; !rc && cpu < member(machine, "vcpus"); cpu++)
		rc = cpu_online(cpu, e);
	return rc;
}

int machine_turns(const json_t *machine, bool on, struct hb_error *e)
{
	HB_CLOSE int fd = -1;
	volatile uint32_t *hpet = MAP_FAILED;

	if (member(machine, "vcpus") < 2)
		return 0;
	fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	if (fd >= 0)
		hpet = mmap(NULL, HPET_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, HPET_BASE);
	if (hpet == MAP_FAILED)
		return hb_error_set(e, -ENODEV,
				    "the HPET cannot be set: /dev/mem: %s (CONFIG_DEVMEM without "
				    "STRICT_DEVMEM)",
				    strerror(errno));
	hpet[HPET_CONFIG] = 0;
	if (on)
		timers_run(hpet, json_object_get(machine, "timers"));
	munmap((void *)hpet, HPET_BYTES);
	return 0;
}
