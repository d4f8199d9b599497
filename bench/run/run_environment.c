// SPDX-License-Identifier: GPL-2.0-or-later
/* The environment of a sitting, and whether it is that of the run. */
#include <string.h>

#include "bench/base/build_id.h"
#include "bench/build/hostqemu.h"
#include "bench/host/digest.h"
#include "bench/host/environment.h"
#include "bench/result/load.h"
#include "bench/run/run.h"

static int add_agent(const struct run *r, json_t *o, struct hb_error *e)
{
	char sha[DIGEST_LEN + 1];
	int rc = digest_of_file(r->agent, sha);

	if (rc)
		return hb_error_set(e, rc, "cannot read %s: %s", r->agent, strerror(-rc));
	return json_object_set_new(o, "agent", json_string(sha)) ? -ENOMEM : 0;
}

static int add_guest(const struct run *r, json_t *o, struct hb_error *e)
{
	const struct hostqemu *qemu = hostqemu(e);

	if (!qemu)
		return -ENODEV;
	return json_object_update_new(o,
				      json_pack("{s:s, s:s, s:s, s:s, s:I}", "qemu", qemu->version,
						"qemu_from", qemu->reason, "accelerator",
						run_vm_mode(r) == VM_KVM ? "kvm" : "tcg", "image",
						r->image.id, "tsc_khz", (json_int_t)r->tsc_khz))
		       ? hb_error_set(e, -ENOMEM, "no memory")
		       : 0;
}

/* The running kernel, which has no other name than its arm's. */
static int add_running(const struct run *r)
{
	char build_id[BUILD_ID_HEX];

	running_build_id(build_id, sizeof(build_id));
	return environment_add_kernel(r->environment, json_string_value(json_array_get(r->arms, 0)),
				      build_id, NULL);
}

static int add_kernels(const struct run *r, struct hb_error *e)
{
	int rc = run_is_native(r) ? add_running(r) : 0;

	for (size_t i = 0; i < r->nkernels && !rc; i++)
		rc = environment_add_kernel(r->environment, r->kernels[i].name,
					    r->kernels[i].build_id, r->kernels[i].compiler);
	return rc ? hb_error_set(e, rc, "no memory") : 0;
}

int run_environment(struct run *r, struct hb_error *e)
{
	int rc = add_kernels(r, e);

	if (rc)
		return rc;
	return run_has_guest(r) ? add_guest(r, r->environment, e) : add_agent(r, r->environment, e);
}

int run_environment_same(const struct run *r, struct hb_error *e)
{
	enum environment_scope scope =
		r->args.block == RUN_WHOLE ? ENVIRONMENT_SITTINGS : ENVIRONMENT_MACHINES;
	json_t *was = load_environment(r->record);
	char *difference = NULL;
	int rc = environment_difference(was, r->environment, r->mode, scope, &difference);
	HB_FREE char *text = difference;

	json_decref(was);
	if (rc)
		return hb_error_set(e, rc, "no memory");
	return text ? hb_error_set(e, -EINVAL,
				   "run %s began otherwise, and its figures would mix: %s; begin a "
				   "new run, or report on the boots that are there",
				   r->store.name, text)
		    : 0;
}

int run_environment_guest(struct run *r, const struct memory *m, struct hb_error *e)
{
	json_t *known = json_object_get(r->record, "environment");
	bool earlier = !json_object_get(known, "format");
	int rc;

	if (!run_has_guest(r))
		return 0;
	if (environment_add_guest(r->environment, &r->placement, r->size.vcpus, m))
		return hb_error_set(e, -ENOMEM, "no memory");
	/* What is written down of a run with blocks holds for all machines. */
	if (r->args.block != RUN_WHOLE)
		return 0;
	rc = run_environment_same(r, e);
	if (!rc)
		rc = json_object_update_missing(known, r->environment) ? -ENOMEM : 0;
	/* What its first boots had of that is not known. */
	if (earlier)
		json_object_del(known, "format");
	return rc ? rc : run_record_status(r, "running", e);
}
