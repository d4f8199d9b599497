// SPDX-License-Identifier: GPL-2.0-or-later
#include <elf.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/base/json.h"
#include "bench/guest/accel.h"
#include "bench/build/cpio.h"
#include "bench/build/hostqemu.h"
#include "bench/host/environment.h"
#include "bench/host/paths.h"

#define KVM_DEVICE "/dev/kvm"
#define MARKER	   "hugebench: user space runs" /* as in probe_code */
/* A guest under working KVM is in user space after a second; a minute is for a loaded host. */
#define PROBE_TIMEOUT_NS (60 * NSEC_PER_SEC)
#define LOOK_EVERY_NS	 (NSEC_PER_SEC / 4)
#define PROBE_BASE	 0x400000ULL
#define PROBE_MEMORY	 (256ULL << 20)

/*
 * The probe's init: write the marker to the console, power off. System call numbers and reboot's
 * magic values are those of x86_64 (reboot(2)). Position-independent, so that the bytes can be
 * copied behind an ELF header.
 */
__asm__(".pushsection .rodata\n"
	"probe_code:\n"
	"	mov $1, %eax\n" /* write */
	"	mov $1, %edi\n"
	"	lea 1f(%rip), %rsi\n"
	"	mov $(2f - 1f), %edx\n"
	"	syscall\n"
	"	mov $169, %eax\n" /* reboot, LINUX_REBOOT_CMD_POWER_OFF */
	"	mov $0xfee1dead, %edi\n"
	"	mov $672274793, %esi\n"
	"	mov $0x4321fedc, %edx\n"
	"	xor %r10d, %r10d\n"
	"	syscall\n"
	"3:	jmp 3b\n"
	"1:	.ascii \"hugebench: user space runs\\n\"\n"
	"2:\n"
	"probe_code_end:\n"
	".popsection\n");
extern const char probe_code[], probe_code_end[];

static int write_init(FILE *out)
{
	size_t code = (uintptr_t)probe_code_end - (uintptr_t)probe_code;
	struct {
		Elf64_Ehdr header;
		Elf64_Phdr segment;
		char code[256];
	} image = {
		.header =
			{
				.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
					    ELFDATA2LSB, EV_CURRENT},
				.e_type = ET_EXEC,
				.e_machine = EM_X86_64,
				.e_version = EV_CURRENT,
				.e_entry = PROBE_BASE + offsetof(__typeof__(image), code),
				.e_phoff = offsetof(__typeof__(image), segment),
				.e_ehsize = sizeof(Elf64_Ehdr),
				.e_phentsize = sizeof(Elf64_Phdr),
				.e_phnum = 1,
			},
		.segment =
			{
				.p_type = PT_LOAD,
				.p_flags = PF_R | PF_X,
				.p_vaddr = PROBE_BASE,
				.p_filesz = sizeof(image),
				.p_memsz = sizeof(image),
				.p_align = 4096,
			},
	};

	if (code > sizeof(image.code))
		return -E2BIG;
	memcpy(image.code, probe_code, code);
	return cpio_add(out, "init", S_IFREG | 0755, &image, sizeof(image));
}

static int write_initramfs(const char *path)
{
	FILE *out = fopen(path, "we");
	int rc;

	if (!out)
		return -errno;
	rc = cpio_add(out, "dev", S_IFDIR | 0755, NULL, 0);
	if (!rc)
		rc = cpio_add_node(out, "dev/console", S_IFCHR | 0600, 5, 1);
	if (!rc)
		rc = write_init(out);
	if (!rc)
		rc = cpio_end(out);
	if (fclose(out) && !rc)
		rc = -errno;
	return rc;
}

bool accel_is_software(const struct qmp_kvm_counts *c)
{
	return c->exits > 500 && c->emulated / c->exits > 150;
}

/* Is nothing more to be hoped for from the guest? The reason is @a's then. */
static bool hopeless(struct vm *vm, struct accel *a)
{
	struct qmp_kvm_counts c;

	if (vm_kvm_counts(vm, &c, NULL) || !accel_is_software(&c))
		return false;
	snprintf(a->reason, sizeof(a->reason),
		 "the host's KVM emulates the guest's instructions by software (%ju in %ju exits)",
		 (uintmax_t)c.emulated, (uintmax_t)c.exits);
	return true;
}

/* Wait for the guest to power itself off, then look for the marker. */
static void watch(struct vm *vm, const char *console, struct accel *a)
{
	uint64_t deadline = hb_now_ns() + PROBE_TIMEOUT_NS, look = hb_now_ns();
	HB_FREE char *text = NULL, *words = NULL;
	bool gone;
	int status;

	while (!(gone = vm_exited(vm, &status)) && hb_now_ns() < deadline) {
		usleep(20000);
		if (hb_now_ns() < look)
			continue;
		if (hopeless(vm, a))
			return;
		look = hb_now_ns() + LOOK_EVERY_NS;
	}
	words = vm_stderr(vm);
	a->works = !hb_file_read(console, &text, NULL) && strstr(text, MARKER);
	if (a->works)
		snprintf(a->reason, sizeof(a->reason), "a guest booted to user space");
	else if (gone)
		snprintf(a->reason, sizeof(a->reason), "QEMU ended before user space%s%.400s",
			 words && *words ? ": " : "", words ? words : "");
	else
		snprintf(a->reason, sizeof(a->reason), "a guest was not in user space after %llu s",
			 PROBE_TIMEOUT_NS / NSEC_PER_SEC);
}

static int boot_in(const char *directory, const char *bzimage, enum vm_mode mode, struct accel *a,
		   struct hb_error *e)
{
	HB_FREE char *console = hb_strf("%s/console", directory);
	HB_FREE char *initramfs = hb_strf("%s/initramfs", directory);
	struct vm_config c = {
		.mode = mode,
		.bzimage = bzimage,
		.initramfs = initramfs,
		.console_path = console,
		.vcpus = 2,
		.nodes = 1,
		.memory = PROBE_MEMORY,
	};
	struct hb_error why = {""};
	struct vm *vm;
	int rc;

	if (!console || !initramfs)
		return hb_error_set(e, -ENOMEM, "no memory");
	rc = write_initramfs(initramfs);
	if (rc)
		return hb_error_set(e, rc, "%s: %s", initramfs, strerror(-rc));
	rc = vm_start(&c, &vm, &why);
	if (rc == -EINTR || rc == -ENOMEM)
		return hb_error_set(e, rc, "%s", why.text);
	if (rc) {
		snprintf(a->reason, sizeof(a->reason), "%.500s", why.text);
		return 0;
	}
	watch(vm, console, a);
	vm_end(vm, 0);
	return 0;
}

static char *cache_path(void)
{
	HB_FREE char *cache = paths_cache(NULL);

	return cache ? hb_strf("%s/accel.json", cache) : NULL;
}

/* What the answer depends on; owned by the caller. */
static char *cache_key(const struct hostqemu *qemu)
{
	char cpu[128];
	struct utsname u;

	if (uname(&u))
		return NULL;
	return hb_strf("%s %s | %s | %s", u.release, u.version,
		       environment_cpu_model(cpu, sizeof(cpu)), qemu->identity);
}

static int cache_read(const char *key, struct accel *a)
{
	HB_FREE char *path = cache_path();
	json_t *j = path ? json_load_file(path, 0, NULL) : NULL;
	const char *have = json_string_value(json_object_get(j, "key"));
	json_t *works = json_object_get(j, "works");
	const char *reason = json_string_value(json_object_get(j, "reason"));
	int known = have && !strcmp(have, key) && json_is_true(works) && reason;

	if (known) {
		a->works = json_is_true(works);
		snprintf(a->reason, sizeof(a->reason), "%s", reason);
	}
	json_decref(j);
	return known;
}

/* A cache that cannot be written costs a probe each time, nothing else. */
static void cache_write(const char *key, const struct accel *a)
{
	HB_FREE char *path = cache_path();
	json_t *j =
		json_pack("{s:s, s:b, s:s}", "key", key, "works", a->works, "reason", a->reason);

	json_write(path, j, JSON_INDENT(1));
	json_decref(j);
}

/* What can be said without a boot: 1 when @a says it. Not cached, for it may change at any time. */
static int look_at_device(struct accel *a)
{
	HB_CLOSE int fd = open(KVM_DEVICE, O_RDWR | O_CLOEXEC);

	*a = (struct accel){0};
	if (fd >= 0)
		return 0;
	if (errno == EACCES)
		snprintf(a->reason, sizeof(a->reason),
			 "no permission for " KVM_DEVICE
			 "; mend: sudo adduser $USER kvm, then log in again");
	else
		snprintf(a->reason, sizeof(a->reason), KVM_DEVICE ": %s", strerror(errno));
	return 1;
}

int accel_known(struct accel *a)
{
	HB_FREE char *key = NULL;
	struct hostqemu qemu;

	if (look_at_device(a))
		return 1;
	if (hostqemu_look(&qemu, NULL))
		return 0;
	key = cache_key(&qemu);
	hostqemu_free(&qemu);
	return key && cache_read(key, a);
}

int accel_boot(const char *bzimage, enum vm_mode mode, struct accel *a, struct hb_error *e)
{
	HB_FREE char *directory = NULL;
	int rc;

	*a = (struct accel){0};
	if (!hostqemu(e))
		return -ENODEV;
	directory = paths_temporary("probe", e);
	if (!directory)
		return -EIO;
	rc = boot_in(directory, bzimage, mode, a, e);
	hb_remove_all(directory);
	return rc;
}

int accel_probe(const char *bzimage, bool again, struct accel *a, struct hb_error *e)
{
	const struct hostqemu *qemu;
	HB_FREE char *key = NULL;
	int rc;

	if (look_at_device(a))
		return 0;
	qemu = hostqemu(e);
	if (!qemu)
		return -ENODEV;
	key = cache_key(qemu);
	if (!key)
		return hb_error_set(e, -ENOMEM, "no memory");
	if (!again && cache_read(key, a))
		return 0;
	rc = accel_boot(bzimage, VM_KVM, a, e);
	/* A failure may have been the moment's: it is tried again the next time. */
	if (!rc && a->works)
		cache_write(key, a);
	return rc;
}

int accel_choose(const char *requested, const char *bzimage, enum vm_mode *mode, char *reason,
		 size_t len, struct hb_error *e)
{
	bool automatic = !strcmp(requested, "auto") || !strcmp(requested, "parallel");
	struct accel a;
	int rc;

	if (!strcmp(requested, "emulated") || !strcmp(requested, "exact")) {
		*mode = *requested == 'e' && requested[1] == 'm' ? VM_EMULATED : VM_EXACT;
		snprintf(reason, len, "asked for");
		return 0;
	}
	if (!automatic && strcmp(requested, "kvm"))
		return hb_error_set(e, -EINVAL,
				    "unknown mode '%s'; there are: auto, parallel, kvm, native, "
				    "emulated, exact",
				    requested);
	rc = accel_probe(bzimage, false, &a, e);
	if (rc)
		return rc;
	if (!a.works && !automatic)
		return hb_error_set(e, -ENODEV, "KVM does not work here: %s", a.reason);
	*mode = a.works ? VM_KVM : VM_EMULATED;
	snprintf(reason, len, "%s%s",
		 a.works ? "KVM works: " : "KVM does not work here: ", a.reason);
	return 0;
}
