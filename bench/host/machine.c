// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/host/digest.h"
#include "bench/host/environment.h"
#include "bench/host/machine.h"

#define ID_LEN 16

json_t *machine_describe(void)
{
	const char *name = getenv("SLURMD_NODENAME");
	char cpu[128], id[DIGEST_LEN + 1];
	struct digest *d = digest_begin();
	struct utsname u;

	environment_cpu_model(cpu, sizeof(cpu));
	if (!name || !*name)
		name = uname(&u) ? "unknown" : u.nodename;
	digest_text(d, "application", "hugebench host");
	digest_text(d, "cpu", cpu);
	digest_text(d, "name", name);
	if (!access("/etc/machine-id", R_OK))
		digest_file(d, "machine", "/etc/machine-id");
	if (digest_end(d, id))
		return NULL;
	id[ID_LEN] = 0;
	return json_pack("{s:s, s:s, s:s}", "id", id, "name", name, "cpu_model", cpu);
}
