// SPDX-License-Identifier: GPL-2.0-or-later
#include <hwloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/base/util.h"
#include "bench/host/digest.h"
#include "bench/host/environment.h"

#define HOST_ID_LEN 16
#define CLOCK	    "/sys/devices/system/clocksource/clocksource0/current_clocksource"

/* In which modes a member has a say in the figures. */
enum {
	IN_GUEST = 1, /* kvm, emulated */
	IN_EXACT = 2,
	IN_NATIVE = 4,
	IN_METAL = 8,
	OF_A_RUN = 16,	/* within one run alone: two runs may differ by it */
	ANYWHERE = 32,	/* between machines too */
	BY_KERNEL = 64, /* {NAME: text}, a text for each arm */
	BY_GUEST = 128, /* not known before the first guest, and of blocks by each boot alone */
};

#define IN_ALL (IN_GUEST | IN_EXACT | IN_NATIVE | IN_METAL)

static const struct {
	const char *key, *what;
	unsigned int where;
} members[] = {
	{"host_id", "host", IN_GUEST | IN_NATIVE | IN_METAL},
	{"cpu_model", "CPU", IN_GUEST | IN_NATIVE | IN_METAL},
	{"cpus", "number of CPUs", IN_GUEST | IN_NATIVE | IN_METAL},
	{"allowed_cpus", "CPUs that may be used", IN_GUEST | IN_NATIVE},
	{"clock", "host's clock", IN_GUEST | IN_NATIVE},
	{"host_kernel", "host's kernel", IN_GUEST},
	{"boot_id", "boot of the host", IN_GUEST | OF_A_RUN},
	{"qemu", "QEMU", IN_GUEST | IN_EXACT | ANYWHERE},
	{"accelerator", "accelerator", IN_GUEST | ANYWHERE},
	{"vcpu_cpus", "CPUs of the vCPUs", IN_GUEST | BY_GUEST},
	{"qemu_cpus", "CPUs of QEMU's other threads", IN_GUEST | BY_GUEST},
	{"guest_memory", "memory behind the guest", IN_GUEST | BY_GUEST},
	{"image", "guest image", IN_GUEST | IN_EXACT | ANYWHERE},
	{"agent", "agent", IN_NATIVE | IN_METAL | ANYWHERE},
	{"build_ids", "build-id of kernel", IN_ALL | ANYWHERE | OF_A_RUN | BY_KERNEL},
	{"compilers", "compiler of kernel", IN_ALL | ANYWHERE | OF_A_RUN | BY_KERNEL},
};

char *environment_cpu_model(char *buf, size_t len)
{
	HB_FREE char *text = NULL;
	char *line;

	*buf = '\0';
	if (hb_file_read("/proc/cpuinfo", &text, NULL))
		return buf;
	line = strstr(text, "model name");
	line = line ? strstr(line, ": ") : NULL;
	if (line)
		snprintf(buf, len, "%.*s", (int)strcspn(line + 2, "\n"), line + 2);
	return buf;
}

/* Of the node by Slurm, else of the host. */
static const char *host_name(const struct utsname *u)
{
	const char *name = getenv("SLURMD_NODENAME");

	return name && *name ? name : u->nodename;
}

/*
 * Tells machines apart. The nodes of a cluster often share a machine-id(5), which is not to be
 * published as it is.
 */
static void host_id(const char *cpu, const char *name, char *id)
{
	struct digest *d = digest_begin();

	digest_text(d, "application", "hugebench host");
	digest_text(d, "cpu", cpu);
	digest_text(d, "name", name);
	if (!access("/etc/machine-id", R_OK))
		digest_file(d, "machine", "/etc/machine-id");
	if (digest_end(d, id))
		snprintf(id, DIGEST_LEN, "unknown");
	id[HOST_ID_LEN] = '\0';
}

char *environment_clock(const char *root)
{
	HB_FREE char *path = hb_strf("%s" CLOCK, root);

	return path ? hb_file_line(path) : NULL;
}

/* @text, which is freed, into member @key; that is left out when there is none. */
static void add_text(json_t *o, const char *key, char *text)
{
	HB_FREE char *owned = text;

	if (owned)
		json_object_set_new(o, key, json_string(owned));
}

/* The CPUs that this process may use, "0-7,16". */
static void add_allowed_cpus(json_t *o)
{
	hwloc_bitmap_t set = hwloc_bitmap_alloc();
	hwloc_topology_t t = NULL;
	char text[256];

	if (set && !hwloc_topology_init(&t) && !hwloc_topology_load(t) &&
	    !hwloc_get_cpubind(t, set, HWLOC_CPUBIND_PROCESS)) {
		hwloc_bitmap_list_snprintf(text, sizeof(text), set);
		json_object_set_new(o, "allowed_cpus", json_string(text));
	}
	if (t)
		hwloc_topology_destroy(t);
	hwloc_bitmap_free(set);
}

int environment_add_kernel(json_t *o, const char *name, const char *build_id, const char *compiler)
{
	json_t *build_ids = json_object_get(o, "build_ids");
	json_t *compilers = json_object_get(o, "compilers");

	if (json_object_set_new(build_ids, name, json_string(build_id)) ||
	    (compiler && json_object_set_new(compilers, name, json_string(compiler))))
		return -ENOMEM;
	return 0;
}

json_t *environment_of_host(void)
{
	char cpu[128], id[DIGEST_LEN + 1];
	struct utsname u;
	json_t *o;

	if (uname(&u))
		return NULL;
	host_id(environment_cpu_model(cpu, sizeof(cpu)), host_name(&u), id);
	o = json_pack("{s:i, s:s, s:s, s:s, s:I, s:I, s:s, s:{}, s:{}}", "format",
		      ENVIRONMENT_FORMAT, "host_id", id, "host_name", host_name(&u), "cpu_model",
		      cpu, "cpus", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "host_memory",
		      (json_int_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE), "host_kernel",
		      u.release, "build_ids", "compilers");
	if (!o)
		return NULL;
	add_allowed_cpus(o);
	add_text(o, "clock", environment_clock(""));
	add_text(o, "boot_id", hb_boot_id());
	return o;
}

/* The CPU of each vCPU, none when they are not pinned; and QEMU's, none when it has no own. */
static int add_cpus(json_t *o, const struct placement *p, unsigned int vcpus)
{
	json_t *of_vcpus = json_array(), *of_qemu = json_array();

	for (unsigned int i = 0; i < vcpus && i < VM_MAX_VCPUS && p->cpu[i] >= 0; i++)
		json_array_append_new(of_vcpus, json_integer(p->cpu[i]));
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &p->others))
			json_array_append_new(of_qemu, json_integer(i));
	return json_object_update_new(
		o, json_pack("{s:o, s:o}", "vcpu_cpus", of_vcpus, "qemu_cpus", of_qemu));
}

static int add_memory(json_t *o, const struct memory *m)
{
	json_t *list = json_array();

	for (unsigned int n = 0; n < m->nodes; n++)
		json_array_append_new(
			list, json_pack("{s:I, s:I, s:i}", "bytes", (json_int_t)m->node_bytes,
					"page", (json_int_t)memory_page(m), "node", m->lies_on[n]));
	return json_object_set_new(o, "guest_memory", list);
}

int environment_add_guest(json_t *o, const struct placement *p, unsigned int vcpus,
			  const struct memory *m)
{
	if (add_cpus(o, p, vcpus) || add_memory(o, m) ||
	    json_object_set_new(o, "placement", json_string(p->text)) ||
	    json_object_set_new(o, "memory_backing", json_string(m->text)))
		return -ENOMEM;
	return 0;
}

static unsigned int mode_bit(const char *mode)
{
	if (!strcmp(mode, "exact"))
		return IN_EXACT;
	if (!strcmp(mode, "metal"))
		return IN_METAL;
	return strcmp(mode, "native") ? IN_GUEST : IN_NATIVE;
}

static bool counts(unsigned int where, const char *mode, enum environment_scope scope)
{
	return (where & mode_bit(mode)) && (scope != ENVIRONMENT_RUNS || !(where & OF_A_RUN)) &&
	       (scope != ENVIRONMENT_MACHINES || (where & ANYWHERE));
}

/* Of an earlier version: what it has not was not recorded then. */
static bool is_earlier(const json_t *environment)
{
	return !json_object_get(environment, "format");
}

/* A value as a reader takes it in; owned by the caller. */
static char *value_text(const json_t *v)
{
	if (!v)
		return strdup("not known");
	return json_is_string(v) ? strdup(json_string_value(v))
				 : json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
}

/* Append "WHAT[ OF] differs (a, b)" to *@all. */
static int add_difference(char **all, const char *what, const char *of, const json_t *a,
			  const json_t *b)
{
	HB_FREE char *before = *all, *was = value_text(a), *is = value_text(b);

	*all = was && is ? hb_strf("%s%s%s%s%s differs (%s, %s)", before ? before : "",
				   before ? "; " : "", what, of ? " " : "", of ? of : "", was, is)
			 : NULL;
	return *all ? 0 : -ENOMEM;
}

/* What differs of two values, either of which may be absent, if that @excused no difference. */
static int compare(char **all, const char *what, const char *of, const json_t *a, const json_t *b,
		   bool excused)
{
	if ((!a && !b) || (a && b && json_equal(a, b)) || ((!a || !b) && excused))
		return 0;
	return add_difference(all, what, of, a, b);
}

/* The same for two values that have a text for each kernel. */
static int compare_kernels(char **all, const char *what, const json_t *a, const json_t *b,
			   bool excused)
{
	const char *name;
	json_t *value;
	int rc = 0;

	json_object_foreach ((json_t *)a, name, value)
		rc = rc ?: compare(all, what, name, value, json_object_get(b, name), excused);
	json_object_foreach ((json_t *)b, name, value)
		if (!rc && !json_object_get(a, name))
			rc = compare(all, what, name, NULL, value, excused);
	return rc;
}

int environment_difference(const json_t *was, const json_t *now, const char *mode,
			   enum environment_scope scope, char **text)
{
	bool earlier = is_earlier(was) || is_earlier(now);
	int rc = 0;

	*text = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(members) && !rc; i++) {
		const json_t *a = json_object_get(was, members[i].key);
		const json_t *b = json_object_get(now, members[i].key);
		unsigned int where = members[i].where;

		if (!counts(where, mode, scope))
			continue;
		rc = where & BY_KERNEL ? compare_kernels(text, members[i].what, a, b, earlier)
				       : compare(text, members[i].what, NULL, a, b,
						 earlier || (where & BY_GUEST));
	}
	return rc;
}

json_t *environment_news(const json_t *was, const json_t *now)
{
	json_t *news = json_object();
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)now, key, value)
		if (!strcmp(key, "boot_id") || !strcmp(key, "host_id") ||
		    !json_equal(value, json_object_get(was, key)))
			json_object_set(news, key, value);
	return news;
}
