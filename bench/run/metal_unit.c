// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/host/child.h"
#include "bench/run/metal_state.h"
#include "bench/run/metal_unit.h"

#define WANTS "multi-user.target.wants"

bool metal_unit_possible(void)
{
	return !access("/run/systemd/system", F_OK);
}

/* One word of a unit file: systemd.syntax(7), and % begins its own words. */
static void put_word(FILE *out, const char *word)
{
	fputc('"', out);
	for (; *word; word++) {
		if (strchr("\"\\", *word))
			fputc('\\', out);
		if (strchr("%$", *word))
			fputc(*word, out);
		fputc(*word, out);
	}
	fputc('"', out);
}

char *metal_unit_text(const char *executable, const char *results, const json_t *environment)
{
	const char *name;
	const json_t *value;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs("# Made by `hugebench metal`, which removes it at its end.\n"
	      "[Unit]\n"
	      "Description=hugebench metal: the next boot of a comparison of kernels\n"
	      "ConditionPathExists=" METAL_DIRECTORY "\n"
	      /* In an arm's kernel multi-user.target is not started: METAL_UNIT_BOOT. */
	      "After=multi-user.target systemd-pstore.service\n"
	      "RequiresMountsFor=" METAL_DIRECTORY " ",
	      out);
	put_word(out, executable);
	fputc(' ', out);
	put_word(out, results);
	fputs("\n\n[Service]\n"
	      "StandardOutput=journal+console\n"
	      "StandardError=journal+console\n",
	      out);
	json_object_foreach ((json_t *)environment, name, value) {
		HB_FREE char *pair = hb_strf("%s=%s", name, json_string_value(value));

		fputs("Environment=", out);
		put_word(out, pair ? pair : "");
		fputc('\n', out);
	}
	fputs("ExecStart=", out);
	put_word(out, executable);
	fputs(" metal --continue\n\n[Install]\nWantedBy=multi-user.target\n", out);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

static char *unit_path(const char *directory)
{
	return hb_strf("%s/" METAL_UNIT, directory);
}

/* Where `systemctl enable` would put the link. */
static char *link_path(const char *directory)
{
	return hb_strf("%s/" WANTS "/" METAL_UNIT, directory);
}

/* systemd reads its directories again. */
static void tell_systemd(const char *directory)
{
	char *argv[] = {"systemctl", "daemon-reload", NULL};

	if (!strcmp(directory, METAL_UNIT_DIR) && metal_unit_possible())
		child_run(&(struct child){0}, argv, NULL, NULL);
}

int metal_unit_install(const char *directory, const char *text, struct hb_error *e)
{
	HB_FREE char *unit = unit_path(directory), *link = link_path(directory);
	HB_FREE char *wants = hb_strf("%s/" WANTS, directory);
	int rc = unit && link && wants ? hb_mkdir_all(wants) : -ENOMEM;

	if (!rc)
		rc = hb_file_write_atomic(unit, text, strlen(text));
	if (!rc && symlink("../" METAL_UNIT, link) && errno != EEXIST)
		rc = -errno;
	tell_systemd(directory);
	return rc ? hb_error_set(e, rc, "cannot install %s: %s", unit, strerror(-rc)) : 0;
}

bool metal_unit_is_there(const char *directory)
{
	HB_FREE char *unit = unit_path(directory), *link = link_path(directory);
	char to[8];

	return unit && link && (!access(unit, F_OK) || readlink(link, to, sizeof(to)) >= 0);
}

int metal_unit_remove(const char *directory, struct hb_error *e)
{
	HB_FREE char *unit = unit_path(directory), *link = link_path(directory);
	int rc = unit && link ? 0 : -ENOMEM;

	if (!rc && unlink(link) && errno != ENOENT)
		rc = -errno;
	if (!rc && unlink(unit) && errno != ENOENT)
		rc = -errno;
	tell_systemd(directory);
	return rc ? hb_error_set(e, rc, "cannot remove %s: %s", unit, strerror(-rc)) : 0;
}
