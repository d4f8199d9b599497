// SPDX-License-Identifier: GPL-2.0-or-later
/* The mode of a run, and what it decides: the guest's size, how many guests there are at a time. */
#include <string.h>

#include "bench/base/exact.h"
#include "bench/build/hostqemu.h"
#include "bench/guest/accel.h"
#include "bench/run/run.h"

/* Where time is measured, a neighbour is felt; in mode exact it is not. */
int run_jobs_check(const struct run *r, struct hb_error *e)
{
	if (r->args.jobs < 2 || !strcmp(r->mode, "exact") || !strcmp(r->mode, "emulated"))
		return 0;
	return hb_error_set(
		e, -EINVAL,
		"-j %ju: boots side by side would disturb one another's figures in mode "
		"%s; leave -j out",
		(uintmax_t)r->args.jobs, r->mode);
}

/* As many as were asked for; else, where they do not disturb one another, what @h holds. */
static void jobs_fit(struct run *r, const struct host_size *h)
{
	uint64_t fit = h->limit / r->size.memory;

	r->jobs = r->args.jobs ? r->args.jobs : 1;
	if (r->args.jobs || strcmp(r->mode, "exact"))
		return;
	r->jobs = h->cpus < fit ? h->cpus : fit;
	if (!r->jobs)
		r->jobs = 1;
}

int run_jobs_choose(struct run *r, struct hb_error *e)
{
	struct host_size host;
	int rc = run_jobs_check(r, e);

	r->jobs = 1;
	if (rc || !run_has_guest(r))
		return rc;
	rc = guest_size_host(&host, e);
	if (!rc)
		jobs_fit(r, &host);
	return rc;
}

int run_size_choose(struct run *r, struct hb_error *e)
{
	struct host_size host;
	int rc = guest_size_host(&host, e);

	if (rc)
		return rc;
	if (r->args.jobs)
		host.limit /= r->args.jobs;
	rc = guest_size_choose(&r->spec, r->mode, &host, &r->size, e);
	if (!rc)
		jobs_fit(r, &host);
	return rc && r->args.jobs > 1 ? hb_error_prefix(e, rc, "-j %ju", (uintmax_t)r->args.jobs)
				      : rc;
}

/* There is a QEMU, and what it may do wrong is said before the first boot. */
static int qemu_check(enum vm_mode mode, struct hb_error *e)
{
	const struct hostqemu *qemu = hostqemu(e);
	HB_FREE char *doubt = NULL;

	if (!qemu)
		return -ENODEV;
	doubt = mode == VM_EMULATED ? qemu_doubt(qemu->version) : NULL;
	if (doubt)
		fprintf(stderr,
			"hugebench: WARNING: a HANG or PANIC of this run %s\n"
			"hugebench: QEMU %s is used for this reason: %s\n",
			doubt, qemu->version, qemu->reason);
	return 0;
}

/* Has @k what kernel_exact() and the agent's own clock need? */
static bool exact_boots(const struct kernel *k)
{
	return kernel_has(k, "CONFIG_DEVMEM") && !kernel_has(k, "CONFIG_STRICT_DEVMEM") &&
	       kernel_has(k, "CONFIG_KERNEL_GZIP");
}

/* Why mode auto does not settle for exact; NULL: it may. Owned by the caller. */
static char *exact_unfit(const struct run *r)
{
	const struct hostqemu *qemu = hostqemu(NULL);

	if (r->spec.scenario.vcpus > EXACT_VCPUS_MAX)
		return hb_strf("it has %d vCPUs at most", EXACT_VCPUS_MAX);
	if (r->postgres_scale)
		return strdup("PostgreSQL takes several times as long in it; --mode exact takes "
			      "that time");
	if (!qemu || qemu->number < QEMU_STEADY)
		return strdup("there is no QEMU 8.2 or later");
	for (size_t i = 0; i < r->nkernels; i++) {
		const struct kernel *k = &r->kernels[i];

		if (!k->broken && !exact_boots(k))
			return hb_strf("kernel %s lacks CONFIG_DEVMEM without STRICT_DEVMEM, or "
				       "CONFIG_KERNEL_GZIP",
				       k->name);
	}
	return NULL;
}

/* Without KVM, which @why tells of: exact where that can be and several vCPUs at a time are not
 * asked for, else emulated. */
static int fallback_settle(struct run *r, const char *why, enum vm_mode *mode, struct hb_error *e)
{
	bool parallel = r->spec.scenario.mode == SPEC_MODE_PARALLEL;
	HB_FREE char *unfit = parallel ? NULL : exact_unfit(r);

	*mode = parallel || unfit ? VM_EMULATED : VM_EXACT;
	return hb_set_text(&r->mode_reason,
			   hb_strf("%s, because %s%s%s", vm_mode_name(*mode), why,
				   unfit ? "; not exact: " : "", unfit ? unfit : ""),
			   e);
}

int run_mode_settle(struct run *r, struct hb_error *e)
{
	const char *asked = spec_modes[r->spec.scenario.mode];
	bool automatic = r->spec.scenario.mode <= SPEC_MODE_PARALLEL;
	char reason[512];
	enum vm_mode mode;
	int rc = accel_choose(asked, r->kernels[0].bzimage, &mode, reason, sizeof(reason), e);

	if (!rc && automatic && mode == VM_EMULATED)
		rc = fallback_settle(r, reason, &mode, e);
	else if (!rc)
		rc = hb_set_text(&r->mode_reason, strdup(reason), e);
	if (!rc)
		rc = hb_set_text(&r->mode, strdup(vm_mode_name(mode)), e);
	if (!rc && automatic)
		fprintf(stderr, "hugebench: mode %s\n", r->mode_reason);
	return rc ? rc : qemu_check(mode, e);
}
