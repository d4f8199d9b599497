// SPDX-License-Identifier: GPL-2.0-or-later
/* What the guests of a run are. */
#include <string.h>

#include "bench/run/run.h"

bool run_is_native(const struct run *r)
{
	return !strcmp(r->mode, "native");
}

bool run_is_metal(const struct run *r)
{
	return !strcmp(r->mode, "metal");
}

bool run_has_guest(const struct run *r)
{
	return !run_is_native(r) && !run_is_metal(r);
}

enum vm_mode run_vm_mode(const struct run *r)
{
	if (!strcmp(r->mode, "kvm"))
		return VM_KVM;
	return strcmp(r->mode, "exact") ? VM_EMULATED : VM_EXACT;
}

bool run_takes_turns(const struct run *r)
{
	return run_vm_mode(r) == VM_EXACT && r->size.vcpus > 1;
}

const char *run_bzimage(const struct run *r, const struct kernel *k)
{
	return run_takes_turns(r) ? k->bzimage_exact : k->bzimage;
}

int run_image_resolve(struct run *r, struct hb_error *e)
{
	/* What a disk does is done at the host's time. */
	return image_resolve(&(struct image_wants){.scale = r->postgres_scale,
						   .version = r->postgres_version,
						   .memory = run_vm_mode(r) == VM_EXACT,
						   .selftests = r->selftests},
			     &r->image, e);
}

void run_image(const struct run *r, struct vm_config *vm)
{
	vm->root = r->image.root;
	vm->initramfs = r->image.initramfs;
}

/*
 * NUMA balancing unmaps what the tasks have mapped, to learn who uses it: page faults that are none
 * of the workload's, on kernels that have it (config/timed.config has not).
 */
char *run_arguments(const struct run *r)
{
	static const char off[] = "numa_balancing=disable";
	const char *own = r->command_line ? r->command_line : "";

	for (size_t i = 0; i < r->nkernels; i++)
		if (kernel_has(&r->kernels[i], "CONFIG_NUMA_BALANCING"))
			return hb_strf("%s%s%s", off, *own ? " " : "", own);
	return strdup(own);
}

void run_place(struct run *r)
{
	if (r->jobs > 1)
		placement_none(&r->placement, "guests run side by side; memory not bound");
	else
		placement_of_host(r->size.vcpus, r->size.nodes, &r->placement);
}
